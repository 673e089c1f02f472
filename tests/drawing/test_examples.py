"""Which images are shown and how they become pictures, against values written by hand."""

import numpy as np
import torch
from PIL import Image

from netgaze.drawing.examples import denormalize, find_upright_rows, name_files, read_size, to_rgb


def test_normalized_images_become_the_pictures_they_were():
    pictures = torch.randint(0, 256, (2, 3, 4, 5), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    mean, std = [0.2, 0.5, 0.7], [0.1, 0.3, 0.4]
    normalized = (pictures / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    np.testing.assert_array_equal(denormalize(normalized, mean, std), pictures.permute(0, 2, 3, 1))


def test_values_beyond_black_and_white_are_black_and_white():
    assert denormalize(torch.tensor([-9.0, 9.0]).view(2, 1, 1, 1), [0.5], [0.5]).tolist() == [
        [[[0] * 3]],
        [[[255] * 3]],
    ]


def test_gray_images_have_three_equal_channels():
    images = torch.arange(6, dtype=torch.uint8).view(1, 1, 2, 3)
    assert to_rgb(images).tolist() == [[[[value] * 3 for value in row] for row in ([0, 1, 2], [3, 4, 5])]]


def test_the_upright_example_of_an_image_is_its_first():
    index = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2])
    assert find_upright_rows(index, np.array([2, 0])).tolist() == [2, 0]
    assert find_upright_rows(np.array([2, 0, 1, 2, 0, 1]), np.array([2, 0])).tolist() == [0, 1]


def test_files_have_as_many_folders_as_tell_them_apart():
    assert name_files(["x/s1/1.pgm", "x/s2/1.pgm", "y/s2/1.pgm"]) == ["x/s1/1.pgm", "x/s2/1.pgm", "y/s2/1.pgm"]
    assert name_files(["x/a.png", "x/b.png"]) == ["a.png", "b.png"]


def test_the_size_of_a_file_is_width_and_height_as_a_person_sees_it(tmp_path):
    Image.new("RGB", (40, 20)).save(tmp_path / "plain.jpg")
    assert read_size(str(tmp_path / "plain.jpg")) == (40, 20)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.new("RGB", (40, 20)).save(tmp_path / "turned.jpg", exif=exif)
        assert read_size(str(tmp_path / "turned.jpg")) == ((20, 40) if orientation >= 5 else (40, 20))
