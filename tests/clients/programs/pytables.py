"""What PyTables makes of states files: DATASET FILE."""

import sys
import warnings


def main() -> None:
    """Read a file with PyTables."""
    import tables

    # It warns of DIMENSION_LIST, HDF5's own attribute of named dimensions, which it does not know.
    warnings.simplefilter("ignore", tables.exceptions.DataTypeWarning)
    with tables.open_file(sys.argv[2]) as file:
        cell = file.get_node(f"/{sys.argv[1]}")
        print("shape", *cell.shape)
        print("axes", cell.attrs.axes)
        print("value", float(cell[0, 1, 2] if cell.ndim == 3 else cell[1, 2]))
        print("lengths", *file.root.lengths[:].tolist())
        print("ids", "|".join(name.decode() for name in file.root.ids[:]))
        print("sums", *file.root.integrity.sums.shape)


if __name__ == "__main__":
    main()
