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
    "torch package": Kind("a torch.package archive, which holds code", f"{_FROM_TRAINING}: {_TORCH}."),
    "torch": Kind(
        "a PyTorch file",
        "Weights are passed with weights=FILE; make an input of a tensor with np.save('inputs.npy', torch.load(FILE, "
        "weights_only=True).numpy()).",
        Holds.WEIGHTS,
    ),
    "torch7": Kind("a Torch7 (Lua) file", "Load it in Lua or with the Python package torchfile, and " + _ARRAYS + "."),
    "torch shards": Kind(
        "a folder with a distributed PyTorch checkpoint",
        "Join it: python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER weights.pt.",
    ),
    "stable-baselines3": Kind(
        "a stable-baselines3 model",
        "Unpack it and give policy.pth, which holds the weights: unzip FILE policy.pth.",
    ),
    "coreml": Kind("a Core ML model", _ORIGINAL),
    "coreml package": Kind("a Core ML package", _ORIGINAL),
    "tflite": Kind("a TensorFlow Lite model", _ORIGINAL),
    "onnx runtime": Kind("a model in ONNX Runtime's own format (.ort)", "Give the .onnx file that it was made from."),
    "tensorrt": Kind("a TensorRT engine", _ORIGINAL),
    "ncnn": Kind("an ncnn model", _ORIGINAL),
    "tfjs": Kind(
        "a TensorFlow.js model",
        "Convert it back to Keras: tensorflowjs_converter --input_format=tfjs_layers_model --output_format=keras "
        "model.json model.h5.",
    ),
    "tfjs graph": Kind("a TensorFlow.js graph model", _ORIGINAL),
    "openvino": Kind("an OpenVINO model (.xml with its .bin)", _ORIGINAL),
    "openvino weights": Kind("the .bin of an OpenVINO model, whose .xml is next to it", _ORIGINAL),
    "equinox": Kind(
        "several consecutive arrays without names, as eqx.tree_serialise_leaves writes an Equinox model",
        f"Load the model with eqx.tree_deserialise_leaves and save its arrays by name: {_EQX}. Several arrays that "
        "np.save wrote into one file: join them with np.concatenate and save that.",
    ),
    "orbax": Kind(
        "an Orbax checkpoint folder",
        "Restore it and save it as msgpack: tree = orbax.checkpoint.PyTreeCheckpointer().restore(FOLDER); "
        "open('weights.msgpack', 'wb').write(flax.serialization.to_bytes(tree)).",
    ),
    "orbax steps": Kind(
        "a folder of Orbax checkpoints, one per step",
        "Restore one and save it as msgpack: tree = "
        "orbax.checkpoint.PyTreeCheckpointer().restore('FOLDER/STEP/default'); open('weights.msgpack', "
        "'wb').write(flax.serialization.to_bytes(tree)).",
    ),
    "safetensors index": Kind(
        "an index of safetensors shards, which holds names but no arrays",
        "Give the shard that has the recurrent layer (its name is under weight_map), or join them: "
        "safetensors.torch.save_file({name: array for shard in shards for name, array in "
        "safetensors.torch.load_file(shard).items()}, 'weights.safetensors').",
    ),
    "keras shards": Kind(
        "an index of Keras weight shards, which holds names but no arrays",
        "Load it where the model was made, and save the weights as one file: "
        "model.load_weights('FILE.weights.json'); model.save_weights('weights.weights.h5').",
    ),
    "safetensors": Kind(
        "a safetensors file",
        "Weights are passed with weights=FILE; make an input of one array with np.save('inputs.npy', "
        "safetensors.numpy.load_file(FILE)['NAME']).",
        Holds.WEIGHTS,
    ),
    "keras config": Kind(
        "the configuration of a Keras model (model.to_json()), without weights",
        "Give the weights file, and this one with config=FILE if that holds only weights; or save both "
        "in one: model.save('model.keras').",
        Holds.SETTINGS,
    ),
    "keras": Kind(
        "a .keras file", "Give it with weights=FILE, or run it whole: rnnstates.collect(FILE, inputs).", Holds.WEIGHTS
    ),
    "unpacked keras": Kind(
        "an unpacked .keras file",
        "Pack it again, in the folder: python -m zipfile -c model.keras config.json metadata.json model.weights.h5.",
    ),
    "unpacked torch": Kind(
        "an unpacked PyTorch file", "Pack it again, without compression: zip -0 -r weights.pt FOLDER."
    ),
    "hugging face config": Kind(
        "the configuration of a model, without weights",
        "Give the weights file, such as model.safetensors or pytorch_model.bin.",
    ),
    "hugging face folder": Kind(
        "the folder of a model with its configuration",
        "Give its weights file, such as FOLDER/model.safetensors or FOLDER/pytorch_model.bin.",
    ),
    "saved model graph": Kind(
        "the graph of a TensorFlow SavedModel (saved_model.pb) without its variables",
        "Give the folder that holds it and variables/.",
    ),
    "frozen graph": Kind(
        "a frozen TensorFlow graph (GraphDef)",
        "Give the checkpoint or SavedModel that it was frozen from.",
    ),
    "checkpoint list": Kind(
        "TensorFlow's list of the checkpoints of a folder, which may name any place and is not followed",
        "Give a checkpoint by its prefix (model.ckpt-100), or its folder if it is the only one there.",
    ),
    "graph text": Kind(
        "a TensorFlow graph as text (.pbtxt), without variables",
        "Give the checkpoint that was saved with it; a graph in its .meta is read too.",
    ),
    "saved model": Kind("a SavedModel folder", "Give it with weights=FILE.", Holds.WEIGHTS),
    "onnx": Kind("an ONNX model", "Give it with weights=FILE.", Holds.WEIGHTS),
    "onnx data": Kind("the external data of the ONNX model next to it", "Give the .onnx itself."),
    "msgpack": Kind("a msgpack file, such as Flax writes", "Give it with weights=FILE.", Holds.WEIGHTS),
    "gguf": Kind("a GGUF file", "It is made for llama.cpp; give the original weights, such as safetensors."),
    "ggml": Kind("a ggml file", "It is made for llama.cpp or whisper.cpp; give the original weights, such as a .pt."),
    "darknet": Kind(
        "Darknet weights", "They have no names; load them with Darknet's .cfg in another framework and save them."
    ),
    "caffe": Kind("a Caffe model", f"Load it (pycaffe, or OpenCV's dnn) and {_ARRAYS}."),
    "mxnet": Kind(
        "MXNet parameters",
        "Save the arrays by name: np.savez('weights.npz', **{k.split(':')[-1]: v.asnumpy() for k, v in "
        "mxnet.nd.load(FILE).items()}), then pass convention='torch' (Gluon's gate order is PyTorch's).",
    ),
    "paddle": Kind(
        "a PaddlePaddle pickle (.pdparams), which is never loaded because it can run any code",
        "Load it where you trust it and save the arrays: safetensors.numpy.save_file({k: v.numpy() for k, v in "
        "paddle.load(FILE).items()}, 'weights.safetensors').",
    ),
    "theano": Kind(
        "a Python pickle with Theano or Lasagne in it, which is never loaded because it can run any code",
        f"Load it where you trust it, and {_ARRAYS}.",
    ),
    "kaldi": Kind(
        "a Kaldi file (model or archive)",
        f"Copy a model to text (nnet3-copy --binary=false) or read an archive with the package kaldiio, and {_ARRAYS}; "
        "save the features of an archive as an input with np.save.",
    ),
    "cntk": Kind("a CNTK model", "Export it as ONNX: cntk.Function.load(FILE).save('m.onnx', cntk.ModelFormat.ONNX)."),
    "deeplearning4j": Kind(
        "a Deeplearning4j model",
        f"Load it in Java with ModelSerializer, write model.paramTable(), and {_ARRAYS}.",
    ),
}
