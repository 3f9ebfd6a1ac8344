"""What xarray makes of states files through h5netcdf: DATASET FILE."""

import sys


def main() -> None:
    """Read a file with xarray."""
    import xarray

    group, _, name = sys.argv[1].rpartition("/")
    with xarray.open_dataset(sys.argv[2], engine="h5netcdf", group=group or None) as file:
        cell = file[name]
        print("shape", *cell.shape)
        print("axes", *cell.dims)
        print("value", float(cell.values[0, 1, 2] if cell.ndim == 3 else cell.values[1, 2]))
    with xarray.open_dataset(sys.argv[2], engine="h5netcdf") as root:
        print("lengths", *root["lengths"].values)
        print(
            "ids", "|".join(root["ids"].values.astype("S").astype(object)[i].decode() for i in range(root["ids"].size))
        )
    with xarray.open_dataset(sys.argv[2], engine="h5netcdf", group="integrity") as integrity:
        print("sums", *integrity["sums"].shape)
        print("dimensions", *integrity["sums"].dims, *integrity["rest"].dims)


if __name__ == "__main__":
    main()
