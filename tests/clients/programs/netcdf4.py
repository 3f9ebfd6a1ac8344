"""What netCDF4-python makes of states files: DATASET FILE."""

import sys


def main() -> None:
    """Read a file with netCDF4."""
    import netCDF4

    with netCDF4.Dataset(sys.argv[2]) as file:
        cell = file[sys.argv[1]]
        print("shape", *cell.shape)
        print("axes", *cell.dimensions)
        print("value", float(cell[0, 1, 2] if cell.ndim == 3 else cell[1, 2]))
        print("lengths", *file["lengths"][:].tolist())
        print("ids", "|".join(file["ids"][:].tolist()))
        print("sums", *file["integrity/sums"].shape)
        print("dimensions", *file["integrity/sums"].dimensions, *file["integrity/rest"].dimensions)


if __name__ == "__main__":
    main()
