"""What happens along the way. One file each."""
