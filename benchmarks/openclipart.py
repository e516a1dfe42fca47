"""Copy real pictures for measurements: a folder for each category of Debian's clip art, public domain.

    apt-get download openclipart-png
    dpkg -x openclipart-png_*.deb openclipart
    python benchmarks/openclipart.py openclipart/usr/share/openclipart/png pictures

Categories with fewer than 50 files are skipped. Of categories with more than 500 files, 500 are copied,
evenly spaced in the order of their names. Links are skipped, so each picture is copied once.
"""

import argparse
import shutil
from pathlib import Path

FEWEST, MOST = 50, 500  # files of a category
LEFT_OUT = "unsorted"  # not a category


def main(source: Path, target: Path, *, fewest: int = FEWEST, most: int = MOST) -> dict[str, int]:
    """Copy PNG files below `source` to `target`/category; return the number of files of each category.

    Raises FileExistsError if `target` already contains a category.
    """
    counts: dict[str, int] = {}
    for category in sorted(path for path in source.iterdir() if path.is_dir() and path.name != LEFT_OUT):
        files = sorted(path for path in category.rglob("*.png") if not path.is_symlink())
        if len(files) < fewest:
            continue
        count = min(len(files), most)
        folder = target / category.name
        folder.mkdir(parents=True)
        for number in range(count):
            path = files[number * len(files) // count]
            shutil.copyfile(path, folder / "-".join(path.relative_to(category).parts))
        counts[category.name] = count
    return counts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("source", type=Path, help="the folder png of the package")
    parser.add_argument("target", type=Path, help="the folder to create")
    arguments = parser.parse_args()
    for name, number in main(arguments.source, arguments.target).items():
        print(f"{number:4d} {name}")
