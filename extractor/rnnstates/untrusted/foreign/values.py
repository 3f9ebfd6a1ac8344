"""Table of the kinds of files that hold values or documents: what each is, and how to make an input of it."""

from .kind import Holds, Kind

__all__ = ["VALUES"]

_SHAPE = "shape it as (N, T, I) with .reshape and save it with np.save"


def _read(found: str, how: str) -> Kind:
    return Kind(found, f"Read it with {how}, {_SHAPE}.", Holds.VALUES)


def _compressed(found: str, how: str) -> Kind:
    piped = f" A .npy in it can be piped in: {how.split()[0]} -dc FILE | rnnstates extract - OUTPUT."
    return Kind(found, f"Unpack it ({how}) and give the file in it.", Holds.NEITHER, piped)


def _archive(found: str, how: str) -> Kind:
    return Kind(found, f"Unpack it ({how}) and give the file that you mean.", Holds.NEITHER)


_TABLE = (
    "Sequences in a column of lists are the first argument of extract; weights need names: np.savez('weights.npz', "
    "kernel=..., recurrent_kernel=..., bias=...) and convention=NAME."
)
_AUDIO = "soundfile.read(FILE) or librosa.load(FILE)"
_IMAGE = "np.asarray(PIL.Image.open(FILE))"
_AGAIN = "Download the file itself: replace /blob/ in the link of its page by /resolve/ or /raw/."

VALUES: dict[str, Kind] = {
    "empty": Kind("empty, not one byte", "Make it again.", Holds.NEITHER),
    "html": Kind("an HTML page, saved instead of the requested file", _AGAIN, Holds.NEITHER),
    "error page": Kind(
        "an error message of a server, saved instead of the requested file",
        "Download the file again, signed in if it is not public.",
        Holds.NEITHER,
    ),
    "lfs": Kind(
        "a Git LFS pointer instead of the file itself",
        "Fetch the file itself: git lfs pull, or download it from the repository's page.",
        Holds.NEITHER,
    ),
    "annex": Kind(
        "a git-annex pointer instead of the file itself",
        "Fetch the file itself: git annex get FILE.",
        Holds.NEITHER,
    ),
    "dvc": Kind("a DVC pointer instead of the file itself", "Fetch it: dvc pull.", Holds.NEITHER),
    "pickle": Kind(
        "a Python pickle, which is never loaded because it can run any code",
        "Load it where you trust it and save the arrays: np.save('inputs.npy', array) for sequences, safetensors or "
        "np.savez('weights.npz', **arrays) for weights.",
        Holds.EITHER,
    ),
    "joblib": Kind(
        "a Python pickle that joblib wrote, which is never loaded because it can run any code",
        "Load it with joblib.load where you trust it and save the arrays: np.save for sequences, safetensors or "
        "np.savez for weights.",
        Holds.EITHER,
    ),
    "npy": Kind(
        "a single NumPy array (.npy)",
        "Weights need names: np.savez('weights.npz', kernel=..., recurrent_kernel=..., bias=...) and convention=NAME, "
        "or a folder of .npy files with UniRep's names. Sequences are the first argument of extract.",
        Holds.INPUTS,
    ),
    "npy of objects": Kind(
        "a .npy file of Python objects, perhaps a dictionary, which is never loaded because it can run any code",
        "Load it where you trust it, np.load(FILE, allow_pickle=True).item(), and save its arrays by name: "
        "np.savez('weights.npz', **arrays).",
        Holds.INPUTS,
    ),
    "npz": Kind(
        "a zip archive such as .npz, with the arrays {names}",
        "Take one array out of it: np.save('{file}.npy', np.load('file.npz')['{first}']).",
        Holds.ARRAYS,
    ),
    "hdf5": Kind("an HDF5 file", "Copy the dataset into the input file and give its name.", Holds.BOTH),
    "zip": _archive("a zip archive that holds {names}", "unzip FILE"),
    "empty zip": Kind("an empty zip archive", "Make the file again.", Holds.NEITHER),
    "damaged zip": Kind("a zip archive that is cut short or damaged", "Copy or download it again.", Holds.WEIGHTS),
    "gzip": _compressed("a compressed file", "gzip -d FILE"),
    "gzip of tar": _archive("a compressed tar archive", "tar -xf FILE"),
    "zstd": _compressed("a file compressed with zstandard", "zstd -d FILE"),
    "bzip2": _compressed("a file compressed with bzip2", "bzip2 -d FILE"),
    "xz": _compressed("a file compressed with xz", "xz -d FILE"),
    "lz4": _compressed("a file compressed with lz4", "lz4 -d FILE"),
    "zlib": Kind(
        "a file compressed with zlib, as joblib writes pickles",
        "Load it with joblib.load where you trust it and save the arrays: np.save for sequences, safetensors or "
        "np.savez for weights.",
        Holds.EITHER,
    ),
    "7z": _archive("a 7z archive", "7z x FILE"),
    "rar": _archive("a RAR archive", "unrar x FILE"),
    "tar": _archive("a tar archive", "tar -xf FILE"),
    "matlab 5": Kind(
        "a MATLAB file of version 5",
        "Save an array of it in Python: np.save('inputs.npy', scipy.io.loadmat(FILE)['NAME']); with names for weights: "
        "np.savez('weights.npz', **arrays). MATLAB's -v7.3 is HDF5, but with the axes in reverse order.",
        Holds.EITHER,
    ),
    "utf-16": Kind("text in UTF-16", "Save it as UTF-8.", Holds.NEITHER),
    "netcdf 3": _read("a netCDF file of version 3", "xarray.open_dataset(FILE)['NAME'].values"),
    "fits": _read("a FITS file", "astropy.io.fits.getdata(FILE)"),
    "parquet": Kind("a Parquet file", _TABLE, Holds.TABLE),
    "arrow": Kind("an Arrow or Feather file", _TABLE, Holds.TABLE),
    "arrow stream": _read("an Arrow stream", "pyarrow.ipc.open_stream(FILE).read_all()"),
    "feather 1": _read("a Feather file of version 1", "pandas.read_feather(FILE).to_numpy()"),
    "avro": _read("an Avro file", "the package fastavro"),
    "orc": _read("an ORC file", "pandas.read_orc(FILE).to_numpy()"),
    "zarr": _read("a Zarr store", "zarr.open(FILE)['NAME'][:]")._replace(holds=Holds.TABLE),
    "tfrecord": _read("a TFRecord file", "tf.data.TFRecordDataset and tf.io.parse_example"),
    "events": Kind("a TensorBoard log (events)", "It holds curves, not weights; check the path.", Holds.NEITHER),
    "excel": _read("an Excel workbook", "pandas.read_excel(FILE).to_numpy()"),
    "ole": _read("an old Office document (.xls, .doc)", "pandas.read_excel(FILE).to_numpy()"),
    "document": Kind(
        "an Office document",
        "Save its numbers as CSV; read that with np.loadtxt and save it with np.save.",
        Holds.VALUES,
    ),
    "r": Kind(
        "a file of R (.rds or .RData)",
        "Save the array in R: h5write(aperm(x), 'inputs.h5', 'inputs') of the package rhdf5; models of keras in R: "
        "save_model(model, 'model.keras').",
        Holds.EITHER,
    ),
    "stata": _read("a Stata file", "pandas.read_stata(FILE).to_numpy()"),
    "spss": _read("an SPSS file", "pandas.read_spss(FILE).to_numpy()"),
    "sqlite": _read("an SQLite database", "pandas.read_sql"),
    "root": _read("a ROOT file", "the package uproot"),
    "nifti": _read("a NIfTI image", "nibabel.load(FILE).get_fdata()"),
    "dicom": _read("a DICOM image", "pydicom.dcmread(FILE).pixel_array"),
    "edf": _read("an EDF or BDF recording", "mne.io.read_raw(FILE).get_data().T"),
    "grib": _read("a GRIB file", "xarray.open_dataset(FILE, engine='cfgrib')"),
    "wav": _read("WAV audio", _AUDIO),
    "flac": _read("FLAC audio", _AUDIO),
    "mp3": _read("MP3 audio", _AUDIO),
    "ogg": _read("Ogg audio", _AUDIO),
    "aiff": _read("AIFF audio", _AUDIO),
    "midi": _read("a MIDI file", "the package pretty_midi"),
    "video": _read("a video", "the package imageio"),
    "png": _read("a PNG image", _IMAGE),
    "jpeg": _read("a JPEG image", _IMAGE),
    "gif": _read("a GIF image", _IMAGE),
    "tiff": _read("a TIFF image", "tifffile.imread(FILE)"),
    "webp": _read("a WebP image", _IMAGE),
    "pdf": Kind("a PDF document", "Check the path; the data of a paper are elsewhere.", Holds.NEITHER),
    "executable": Kind("an executable program", "It is never run; check the path.", Holds.NEITHER),
    "script": Kind("a script", "It is never run; give the file that it writes.", Holds.NEITHER),
    "notebook": Kind("a Jupyter notebook", "It is never run; give the file that it writes.", Holds.NEITHER),
    "xml": Kind("an XML text", "Check the path; a page may have been saved instead of the file.", Holds.NEITHER),
    "json list": Kind(
        "a JSON list",
        "Make an input of it: np.save('inputs.npy', np.array(json.load(open(FILE)), 'f4')); weights need names: "
        "np.savez('weights.npz', kernel=..., recurrent_kernel=..., bias=...) and convention=NAME.",
        Holds.EITHER,
    ),
    "json": Kind(
        "a JSON text",
        "Make an input of it: np.save('inputs.npy', np.array(json.load(open(FILE))['NAME'], 'f4')).",
        Holds.TEXT,
    ),
}
