"""Corruptions of images (Hendrycks and Dietterich 2019): fifteen kinds, batched, with random draws per image."""
