"""How networks are fitted.

settings    what can be chosen
fit         the loop
fitting     all that changes from step to step
order       which rows a step reads
losses      what is made small, and what is measured
optimisers  how it is made small
average     the moving average of the weights
processes   one process or many (torchrun)
state       a fit as bytes and back, for `coldpress_build.checkpoints`
stopping    SIGTERM
tracking    metrics.csv, TensorBoard, MLflow
train       all fits of a run
"""
