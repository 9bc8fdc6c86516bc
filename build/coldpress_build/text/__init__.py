"""One description of a tokeniser, as Python and as an ONNX graph."""
