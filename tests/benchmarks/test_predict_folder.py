"""The benchmark of a folder makes realistic files and measures each command."""

import io

from benchmarks.predict_folder import picture

from benchmarks import predict_folder


def test_the_files_are_as_large_as_photographs() -> None:
    for number in range(3):
        file = io.BytesIO()
        picture(number).save(file, "jpeg", quality=predict_folder.QUALITY)
        assert 35_000 < file.tell() < 65_000


def test_each_command_gets_its_times() -> None:
    found = predict_folder.main(files=3, size="tiny", engines=["torch", "bf16"], rounds=1)
    assert set(found) - {"timm"} == {"kakera torch", "kakera bf16"}
    assert all(wall > 0 and busy > 0 for wall, busy in found.values())
    assert len(predict_folder.report(found, 3).splitlines()) == 1 + len(found)
