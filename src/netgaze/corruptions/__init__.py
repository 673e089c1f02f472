"""Corruptions of images (Hendrycks and Dietterich 2019): fifteen kinds, batched, each image by draws of its own."""
