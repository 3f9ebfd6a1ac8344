"""Files of foreign kinds whose libraries are not here: the bytes that each format's description gives."""

import io
import json
import struct
import zipfile
import zlib

__all__ = ["CRAFTED"]


def file(name, content):
    def make(folder):
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder / name

    return make


def archive(name, *members):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as made:
        for member in members:
            made.writestr(member, b"x")
    return file(name, held.getvalue())


def directory(name, entries):
    def make(folder):
        for entry, content in entries.items():
            path = folder / name / entry
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode())
        return folder / name

    return make


def openvino_weights(folder):
    file("m.xml", OPENVINO)(folder)
    return file("m.bin", bytes(range(1, 200)))(folder)


def shard(folder):
    file("model.json", TFJS)(folder)
    return file("group1-shard1of1.bin", bytes(range(1, 200)))(folder)


def message(*fields):
    """Write fields of a protobuf message: numbers as (number, int), texts and messages as (number, bytes)."""
    made = b""
    for number, value in fields:
        plain = isinstance(value, int)
        made += varint(number << 3 | (0 if plain else 2)) + (varint(value) if plain else varint(len(value)) + value)
    return made


def varint(value):
    made = b""
    while value >= 0x80:
        made, value = made + bytes([value & 0x7F | 0x80]), value >> 7
    return made + bytes([value])


def coreml(version):
    feature = message((1, b"input_1"), (3, message((5, b""))))
    return message((1, version), (2, message((1, feature), (10, feature))), (303, b""))


ZEROS = bytes(64)
TFJS = json.dumps({"format": "layers-model", "modelTopology": {"a": [{"class_name": "LSTM"}]}, "weightsManifest": []})
OPENVINO = '<?xml version="1.0"?>\n<net name="rnn" version="11">\n<layers></layers></net>'
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
INDEX = json.dumps({"metadata": {"total_size": 12}, "weight_map": {"rnn.weight_ih_l0": "model-00001-of-00002"}})
SHARDS = json.dumps({"metadata": {}, "weight_map": {"/layers/lstm/cell/vars": ["m_00000.weights.h5"]}}, indent=4)
VECTORS = "".join(f"{word} {' '.join(['0.25'] * 50)}\n" for word in ("the", "of", "and"))
CORPUS = "the cat sat on the mat\nand the dog did not\n"

CRAFTED = {
    "torch.package": ("torch package", archive("p.pt", "p/.data/extern_modules", "p/m.py")),
    "old .pt2": ("exported program", archive("p.pt2", "serialized_exported_program.json", "version")),
    "distributed": ("torch shards", directory("dcp", {".metadata": "x", "__0_0.distcp": "x"})),
    "sb3": ("stable-baselines3", archive("ppo.zip", "data", "policy.pth", "system_info.txt")),
    "Torch7": ("torch7", file("m.t7", struct.pack("<iii", 4, 1, 3) + b"V 1" + ZEROS)),
    "Torch7 as text": ("torch7", file("m.t7", "4\n1\n3\nV 1\n13\nnn.Sequential\n")),
    "mlmodel": ("coreml", file("m.mlmodel", coreml(4))),
    "mlmodel of version 1": ("coreml", file("m.mlmodel", coreml(1))),
    "mlpackage": ("coreml package", directory("m.mlpackage", {"Manifest.json": "{}", "Data/com.apple.CoreML/m": "x"})),
    "zipped mlpackage": (
        "coreml package",
        archive("m.zip", "m/Manifest.json", "m/Data/com.apple.CoreML/model.mlmodel"),
    ),
    "tflite": ("tflite", file("m.tflite", b"\x1c\0\0\0TFL3" + ZEROS)),
    "ort": ("onnx runtime", file("m.ort", b"\x1c\0\0\0ORTM" + ZEROS)),
    "engine": ("tensorrt", file("m.engine", b"ftrt" + ZEROS)),
    "ncnn": ("ncnn", file("m.param", "7767517\n3 3\nInput data 0 1 data\n")),
    "tfjs": ("tfjs", file("model.json", TFJS)),
    "tfjs folder": ("tfjs", directory("web", {"model.json": TFJS, "group1-shard1of1.bin": "x"})),
    "tfjs shard": ("tfjs", shard),
    "tfjs graph": ("tfjs graph", file("model.json", '{"format": "graph-model", "modelTopology": {"node": []}}')),
    "OpenVINO": ("openvino", file("m.xml", OPENVINO)),
    "OpenVINO .bin": ("openvino weights", openvino_weights),
    "index": ("safetensors index", file("model.safetensors.index.json", INDEX)),
    "Keras shards": ("keras shards", file("m.weights.json", SHARDS)),
    "HF config": ("hugging face config", file("config.json", '{"architectures": ["X"], "model_type": "rwkv"}')),
    "HF folder": ("hugging face folder", directory("hf", {"config.json": "{}", "model.safetensors": "x"})),
    "TensorFlow's list": ("checkpoint list", file("checkpoint", 'model_checkpoint_path: "/somewhere/model.ckpt-5"\n')),
    "graph.pbtxt": ("graph text", file("graph.pbtxt", 'node {\n  name: "x"\n  op: "Placeholder"\n}\n')),
    "GGUF": ("gguf", file("m.gguf", b"GGUF\x03\0\0\0" + ZEROS)),
    "ggml": ("ggml", file("ggml-base.bin", b"lmgg" + ZEROS)),
    "Darknet": ("darknet", file("rnn.weights", struct.pack("<iiiQ", 0, 2, 0, 64) + ZEROS)),
    "Caffe": ("caffe", file("m.caffemodel", message((1, b"CaffeNet"), (100, message((1, b"data"), (2, b"Input")))))),
    "MXNet": ("mxnet", file("m.params", struct.pack("<QQQ", 0x112, 0, 2) + ZEROS)),
    "Kaldi": ("kaldi", file("final.mdl", b"\0B<TransitionModel> " + ZEROS)),
    "Kaldi archive": ("kaldi", file("feats.ark", b"utt-001 \0BFM \x04" + ZEROS)),
    "Kaldi text": ("kaldi", file("final.mdl", "<Nnet3> \ninput-node name=input dim=40\n")),
    "CNTK 1": ("cntk", file("m.dnn", "BCN".encode("utf-16-le") + ZEROS)),
    "CNTK 2": ("cntk", file("m.model", message((1, 1), (2, message((1, b"root_uid"), (2, b"x")))))),
    "Deeplearning4j": ("deeplearning4j", archive("m.zip", "configuration.json", "coefficients.bin")),
    "empty": ("empty", file("x", b"")),
    "page": ("html", file("page.pt", "\n<!DOCTYPE html><html><body>404</body></html>")),
    "page in capitals": ("html", file("page.npz", "<HTML lang='en'><HEAD>")),
    "page in Latin 1": ("html", file("page", "<!doctype html><p>Größe".encode("latin-1"))),
    "XHTML": ("html", file("page", '<?xml version="1.0"?>\n<!DOCTYPE html>')),
    "S3": ("error page", file("w.pt", '<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>')),
    "API": ("error page", file("w.h5", '{"error": "Repository not found"}')),
    "GitHub API": ("error page", file("w.h5", '{"message": "Not Found", "documentation_url": "https://x"}')),
    "LFS": ("lfs", file("w.h5", POINTER)),
    "annex": ("annex", file("w.h5", "/annex/objects/SHA256E-s1--0.h5\n")),
    "DVC": ("dvc", file("w.h5.dvc", "outs:\n- md5: 0\n  path: w.h5\n")),
    "empty zip": ("empty zip", archive("x.zip")),
    "damaged zip": ("damaged zip", file("x.zip", b"PK\x03\x04" + ZEROS)),
    "zst": ("zstd", file("x.zst", b"\x28\xb5\x2f\xfd" + ZEROS)),
    "bz2": ("bzip2", file("x.bz2", b"BZh91AY" + ZEROS)),
    "xz": ("xz", file("x.xz", b"\xfd7zXZ\0" + ZEROS)),
    "lz4": ("lz4", file("x.lz4", b"\x04\x22\x4d\x18" + ZEROS)),
    "7z": ("7z", file("x.7z", b"7z\xbc\xaf\x27\x1c" + ZEROS)),
    "rar": ("rar", file("x.rar", b"Rar!\x1a\x07\x01" + ZEROS)),
    "UTF-16": ("utf-16", file("x.csv", "1,2".encode("utf-16"))),
    "FITS": ("fits", file("x.fits", b"SIMPLE  =                    T")),
    "Parquet": ("parquet", file("x.parquet", b"PAR1" + ZEROS + b"PAR1")),
    "Arrow": ("arrow", file("x.arrow", b"ARROW1\0\0" + ZEROS)),
    "Arrow stream": ("arrow stream", file("x.arrows", b"\xff\xff\xff\xff" + ZEROS)),
    "Feather": ("feather 1", file("x.feather", b"FEA1" + ZEROS)),
    "Avro": ("avro", file("x.avro", b"Obj\x01" + ZEROS)),
    "ORC": ("orc", file("x.orc", b"ORC" + ZEROS)),
    "Zarr 2": ("zarr", directory("x.zarr", {".zgroup": "{}", "x/.zarray": "{}"})),
    "Zarr 3": ("zarr", directory("x.zarr", {"zarr.json": "{}"})),
    "zipped Zarr": ("zarr", archive("x.zarr.zip", ".zgroup", "x/.zarray")),
    "xlsx": ("excel", archive("x.xlsx", "[Content_Types].xml", "xl/workbook.xml")),
    "xls": ("ole", file("x.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + ZEROS)),
    "docx": ("document", archive("x.docx", "word/document.xml")),
    "rds": ("r", file("x.rds", zlib.compress(b"X\n\0\0\0\x03" + ZEROS, wbits=31))),
    "RData": ("r", file("x.RData", b"RDX3\nX\n" + ZEROS)),
    "Stata": ("stata", file("x.dta", b"<stata_dta><header>" + ZEROS)),
    "SPSS": ("spss", file("x.sav", b"$FL2@(#) SPSS" + ZEROS)),
    "ROOT": ("root", file("x.root", b"root" + ZEROS)),
    "NIfTI": ("nifti", file("x.nii", bytes(344) + b"n+1\0")),
    "DICOM": ("dicom", file("x.dcm", bytes(128) + b"DICM" + ZEROS)),
    "EDF": ("edf", file("x.edf", b"0".ljust(256) + b"x" * 256)),
    "BDF": ("edf", file("x.bdf", b"\xffBIOSEMI" + b" " * 256)),
    "GRIB": ("grib", file("x.grib", b"GRIB" + ZEROS)),
    "FLAC": ("flac", file("x.flac", b"fLaC" + ZEROS)),
    "MP3": ("mp3", file("x.mp3", b"\xff\xfb\x90\0" + ZEROS)),
    "MP3 with a title": ("mp3", file("x.mp3", b"ID3\x04" + ZEROS)),
    "Ogg": ("ogg", file("x.ogg", b"OggS" + ZEROS)),
    "AIFF": ("aiff", file("x.aiff", b"FORM\0\0\0\0AIFF" + ZEROS)),
    "MIDI": ("midi", file("x.mid", b"MThd" + ZEROS)),
    "MP4": ("video", file("x.mp4", b"\0\0\0\x18ftypmp42" + ZEROS)),
    "PNG": ("png", file("x.png", b"\x89PNG\r\n\x1a\n" + ZEROS)),
    "JPEG": ("jpeg", file("x.jpg", b"\xff\xd8\xff\xe0" + ZEROS)),
    "GIF": ("gif", file("x.gif", b"GIF89a" + ZEROS)),
    "TIFF": ("tiff", file("x.tif", b"II*\0" + ZEROS)),
    "WebP": ("webp", file("x.webp", b"RIFF\0\0\0\0WEBP" + ZEROS)),
    "PDF": ("pdf", file("x.pdf", b"%PDF-1.7\n" + ZEROS)),
    "ELF": ("executable", file("x", b"\x7fELF\x02" + ZEROS)),
    "jar": ("executable", archive("x.jar", "META-INF/MANIFEST.MF")),
    "shell": ("script", file("x.sh", "#!/bin/sh\nexit 1\n")),
    "notebook": ("notebook", file("x.ipynb", '{"cells": [], "metadata": {}, "nbformat": 4}')),
    "XML": ("xml", file("x.xml", '<?xml version="1.0"?>\n<data><a/></data>')),
    "JSON list": ("json list", file("x.json", "[[0.5, 1], [2, -3]]")),
    "JSON": ("json", file("x.json", '{"inputs": [[0.5, 1], [2, -3]]}')),
    "words": ("text", file("corpus.txt", CORPUS)),
    "word vectors": ("text", file("glove.txt", VECTORS)),
    "numbers": ("text", file("lengths.txt", "5\n3\n4\n")),
}
