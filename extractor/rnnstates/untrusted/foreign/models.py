"""Table of the kinds of files that hold models: what each is, and how to make its weights readable."""

from .kind import Holds, Kind

__all__ = ["MODELS"]

_TORCH = "torch.save(model.state_dict(), 'weights.pt')"
_FROM_TRAINING = "Save the weights where the model was trained"
_ORIGINAL = "Give the model that it was converted from instead: .keras, .h5, a SavedModel, a state_dict or ONNX."
_ARRAYS = "save its arrays with np.savez('weights.npz', **arrays) and pass convention=NAME"
_EQX = (
    "np.savez('weights.npz', **{jax.tree_util.keystr(path): leaf for path, leaf in "
    "jax.tree_util.tree_leaves_with_path(eqx.filter(model, eqx.is_array))})"
)

MODELS: dict[str, Kind] = {
    "exported program": Kind(
        "an exported program of PyTorch (.pt2), which holds code",
        "Save the weights alone: state = torch.export.load(FILE).state_dict; torch.save(dict(state), 'weights.pt').",
    ),
    "torchscript": Kind(
        "a TorchScript program, which holds code",
        "Save the weights alone: torch.save(torch.jit.load(FILE).state_dict(), 'weights.pt').",
    ),
    "torch package": Kind("a package of torch.package, which holds code", f"{_FROM_TRAINING}: {_TORCH}."),
    "torch": Kind(
        "a file of PyTorch",
        "Weights are passed with weights=FILE; a tensor becomes an input by np.save('inputs.npy', torch.load(FILE, "
        "weights_only=True).numpy()).",
        Holds.WEIGHTS,
    ),
    "torch7": Kind(
        "a file of Torch7 (Lua)", "Load it in Lua or with the Python package torchfile, and " + _ARRAYS + "."
    ),
    "torch shards": Kind(
        "a folder of a distributed checkpoint of PyTorch",
        "Join it: python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER weights.pt.",
    ),
    "stable-baselines3": Kind(
        "a model of stable-baselines3",
        "Unpack it and give policy.pth, which holds the weights: unzip FILE policy.pth.",
    ),
    "coreml": Kind("a Core ML model", _ORIGINAL),
    "coreml package": Kind("a Core ML package", _ORIGINAL),
    "tflite": Kind("a TensorFlow Lite model", _ORIGINAL),
    "onnx runtime": Kind("a model in ONNX Runtime's own format (.ort)", "Give the .onnx file that it was made from."),
    "tensorrt": Kind("an engine of TensorRT", _ORIGINAL),
    "ncnn": Kind("a model of ncnn", _ORIGINAL),
    "tfjs": Kind(
        "a model of TensorFlow.js",
        "Turn it back into Keras: tensorflowjs_converter --input_format=tfjs_layers_model --output_format=keras "
        "model.json model.h5.",
    ),
    "tfjs graph": Kind("a graph model of TensorFlow.js", _ORIGINAL),
    "openvino": Kind("an OpenVINO model (.xml with its .bin)", _ORIGINAL),
    "openvino weights": Kind("the .bin of an OpenVINO model, whose .xml lies beside it", _ORIGINAL),
    "equinox": Kind(
        "several arrays one behind the other without names, as eqx.tree_serialise_leaves writes an Equinox model",
        f"Load the model with eqx.tree_deserialise_leaves and save its arrays by name: {_EQX}. Arrays that np.save put "
        "into one file are joined with np.concatenate and saved as one.",
    ),
    "orbax": Kind(
        "a checkpoint folder of Orbax",
        "Restore it and save it as msgpack: tree = orbax.checkpoint.PyTreeCheckpointer().restore(FOLDER); "
        "open('weights.msgpack', 'wb').write(flax.serialization.to_bytes(tree)).",
    ),
    "orbax steps": Kind(
        "a folder of Orbax checkpoints, one for each step",
        "Restore one and save it as msgpack: tree = "
        "orbax.checkpoint.PyTreeCheckpointer().restore('FOLDER/STEP/default'); open('weights.msgpack', "
        "'wb').write(flax.serialization.to_bytes(tree)).",
    ),
    "safetensors index": Kind(
        "an index of safetensors shards, which holds names and no arrays",
        "Give the shard that has the recurrent layer (its name is under weight_map), or join them: "
        "safetensors.torch.save_file({name: array for shard in shards for name, array in "
        "safetensors.torch.load_file(shard).items()}, 'weights.safetensors').",
    ),
    "keras shards": Kind(
        "an index of the parts of Keras weights, which holds names and no arrays",
        "Load it where the model was made, and save the weights as one file: "
        "model.load_weights('FILE.weights.json'); model.save_weights('weights.weights.h5').",
    ),
    "safetensors": Kind(
        "a safetensors file",
        "Weights are passed with weights=FILE; an array of it becomes an input by np.save('inputs.npy', "
        "safetensors.numpy.load_file(FILE)['NAME']).",
        Holds.WEIGHTS,
    ),
    "keras config": Kind(
        "the configuration of a Keras model (model.to_json()), without weights",
        "Give the weights file, and this one beside it with config=FILE, where it holds weights alone; or save both "
        "in one: model.save('model.keras').",
        Holds.SETTINGS,
    ),
    "keras": Kind(
        "a .keras file", "Give it with weights=FILE, or run it whole: rnnstates.collect(FILE, inputs).", Holds.WEIGHTS
    ),
    "unpacked keras": Kind(
        "a .keras file that was unpacked",
        "Pack it again, in the folder: python -m zipfile -c model.keras config.json metadata.json model.weights.h5.",
    ),
    "unpacked torch": Kind(
        "a file of PyTorch that was unpacked", "Pack it again, without compression: zip -0 -r weights.pt FOLDER."
    ),
    "hugging face config": Kind(
        "the configuration of a model, without weights",
        "Give the file of the weights, such as model.safetensors or pytorch_model.bin.",
    ),
    "hugging face folder": Kind(
        "a folder of a model with its configuration",
        "Give the file of its weights, such as FOLDER/model.safetensors or FOLDER/pytorch_model.bin.",
    ),
    "saved model graph": Kind(
        "the graph of a TensorFlow SavedModel (saved_model.pb) without its variables",
        "Give the folder that it lies in, with variables/ beside it.",
    ),
    "frozen graph": Kind(
        "a frozen graph of TensorFlow (GraphDef)",
        "Give the checkpoint or SavedModel that it was frozen from.",
    ),
    "checkpoint list": Kind(
        "the text in which TensorFlow lists the checkpoints of a folder; it may name any place, and is not followed",
        "Give a checkpoint by its prefix (model.ckpt-100), or the folder where it is the only one.",
    ),
    "graph text": Kind(
        "a graph of TensorFlow as text (.pbtxt), without variables",
        "Give the checkpoint that was saved with it; a graph in its .meta is read too.",
    ),
    "saved model": Kind("a folder of a SavedModel", "Give it with weights=FILE.", Holds.WEIGHTS),
    "onnx": Kind("an ONNX model", "Give it with weights=FILE.", Holds.WEIGHTS),
    "onnx data": Kind("the external data of an ONNX model, which lies beside it", "Give the .onnx itself."),
    "msgpack": Kind("a msgpack file, such as Flax writes", "Give it with weights=FILE.", Holds.WEIGHTS),
    "gguf": Kind("a GGUF file", "It is made for llama.cpp; give the original weights, such as safetensors."),
    "ggml": Kind("a ggml file", "It is made for llama.cpp or whisper.cpp; give the original weights, such as a .pt."),
    "darknet": Kind(
        "weights of Darknet", "They have no names; load them with Darknet's .cfg in another framework and save them."
    ),
    "caffe": Kind("a Caffe model", f"Load it (pycaffe, or OpenCV's dnn) and {_ARRAYS}."),
    "mxnet": Kind(
        "parameters of MXNet",
        "Save the arrays by name: np.savez('weights.npz', **{k.split(':')[-1]: v.asnumpy() for k, v in "
        "mxnet.nd.load(FILE).items()}), then pass convention='torch' (Gluon's order of gates is PyTorch's).",
    ),
    "paddle": Kind(
        "a pickle of PaddlePaddle (.pdparams), which is never loaded because it can run any code",
        "Load it where you trust it and save the arrays: safetensors.numpy.save_file({k: v.numpy() for k, v in "
        "paddle.load(FILE).items()}, 'weights.safetensors').",
    ),
    "theano": Kind(
        "a Python pickle with Theano or Lasagne in it, which is never loaded because it can run any code",
        f"Load it where you trust it, and {_ARRAYS}.",
    ),
    "kaldi": Kind(
        "a file of Kaldi (model or archive)",
        f"Copy a model to text (nnet3-copy --binary=false) or read an archive with the package kaldiio, and {_ARRAYS}; "
        "features of an archive become an input by np.save.",
    ),
    "cntk": Kind(
        "a model of CNTK", "Export it as ONNX: cntk.Function.load(FILE).save('m.onnx', cntk.ModelFormat.ONNX)."
    ),
    "deeplearning4j": Kind(
        "a model of Deeplearning4j",
        f"Load it in Java with ModelSerializer, write model.paramTable(), and {_ARRAYS}.",
    ),
}
