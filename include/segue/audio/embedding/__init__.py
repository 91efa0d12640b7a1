"""A learned embedding of each recording: the mean output of an ONNX model that the settings name."""
