"""What other tools call a setting, and how it is typed here. Imports nothing: the command line asks here."""

_LIMIT = "For a short trial type trainer.max_epochs=1 data.limit=100"
_PRETRAINED = "Weights to start from are init=imagenet, init=outputs/<run> or init=<file of weights>"
_FOLDER = "A run's folder is hydra.run.dir=<folder>"
_MEMORY = "Images lie in memory, so there are no workers; trainer.threads sets the processor's threads"
_PRECISION = "Precision is trainer.precision=32, bf16-mixed or 16-mixed"
_EVERY = "Each epoch is validated; callback.online_eval.every looks closer every so many epochs"
_AUGMENT = "Augmentation is data.augment.crop_padding, flip, jitter, rotate90 and cutout"
_RESUME = "To go on with a run type resume=outputs/<run>"
_BATCH = "Every batch is one step; choose its size by data.batch_size"
_ALWAYS = "Logs, checkpoints and validation are callbacks, as in ~callback.tensorboard"
_LENGTH = (
    "The length of training is trainer.max_epochs, and of an epoch data.epoch_size; trainer.max_time ends it by time"
)

# By the last part of a key, without _ and -, in lower case.
_SAYINGS = {
    **dict.fromkeys(("lr", "learningrate", "initlr", "baselr", "maxlr", "lr0"), "The learning rate is optim.lr"),
    **dict.fromkeys(("epoch", "numepochs", "nepochs"), "Epochs are trainer.max_epochs"),
    **dict.fromkeys(("batchsize", "bs", "batch", "trainbatchsize"), "Images a step are data.batch_size"),
    **dict.fromkeys(("wd", "weightdecay"), "Weight decay is optim.weight_decay"),
    "momentum": "Momentum is optim.momentum, of optim=sgd",
    **dict.fromkeys(("optimizer", "opt", "optimiser"), "The optimizer is optim=sgd or optim=adamw"),
    **dict.fromkeys(
        ("scheduler", "lrscheduler", "sched", "lrschedule"),
        "The schedule is schedule=one_cycle, cosine, multistep or constant",
    ),
    **dict.fromkeys(("warmup", "warmupepochs", "warmupsteps"), "With schedule=cosine type schedule.warmup_epochs"),
    **dict.fromkeys(("gpus", "gpu", "numgpus", "ngpus", "cuda"), "GPUs are trainer.accelerator=gpu trainer.devices=1"),
    **dict.fromkeys(("device", "accelerator"), "The device is trainer.accelerator=auto, cpu or gpu"),
    "devices": "How many devices is trainer.devices",
    "numnodes": "A run stays on one machine: trainer.devices says how many of its devices it takes",
    **dict.fromkeys(("numworkers", "workers", "nworkers", "pinmemory", "persistentworkers"), _MEMORY),
    **dict.fromkeys(("threads", "numthreads", "nthreads"), "Threads are trainer.threads"),
    **dict.fromkeys(("pretrained", "weights", "pretrainedpath", "pretrainedcfg", "checkpointpath"), _PRETRAINED),
    **dict.fromkeys(("checkpoint", "ckpt", "ckptpath", "resumefrom", "resumefromcheckpoint"), _RESUME),
    **dict.fromkeys(("dataset", "ds"), "The data are data=cifar10, data=folder data.dir=<folder>, and so on"),
    **dict.fromkeys(
        ("datadir", "dataroot", "root", "datapath", "imgdir"), "Images of your own are data=folder data.dir=<folder>"
    ),
    **dict.fromkeys(
        ("arch", "architecture", "network", "net", "backbone", "modelname"), "The network is model=resnet18 or the like"
    ),
    **dict.fromkeys(
        ("imagesize", "imgsize", "imgsz", "inputsize", "resize", "size"), "The side of the images is data.image_size"
    ),
    **dict.fromkeys(("numclasses", "nclasses", "nc"), "The number of classes follows the data"),
    **dict.fromkeys(("amp", "fp16", "bf16", "halfprecision", "mixedprecision", "precision"), _PRECISION),
    **dict.fromkeys(
        ("outputdir", "out", "outdir", "savedir", "logdir", "output", "defaultrootdir", "project"), _FOLDER
    ),
    **dict.fromkeys(("expname", "experimentname", "runname"), "A run's name is name=<word>"),
    **dict.fromkeys(("earlystopping", "earlystop"), "Early stopping is trainer.patience"),
    **dict.fromkeys(
        ("gradclip", "clipgrad", "gradclipnorm", "maxgradnorm", "gradientclipalgorithm"),
        "Clipping is trainer.gradient_clip_val",
    ),
    **dict.fromkeys(("smoothing", "labelsmooth"), "Label smoothing is task.label_smoothing"),
    **dict.fromkeys(
        ("valsplit", "valfraction", "valsize", "valratio"), "Validation images are data.num_val, a number of them"
    ),
    **dict.fromkeys(("testsplit", "testsize", "testratio"), "Test images are data.num_test, a number of them"),
    **dict.fromkeys(("augmentation", "augmentations", "transform", "transforms", "aug"), _AUGMENT),
    **dict.fromkeys(("randomseed", "manualseed", "randomstate"), "The seed is seed=0"),
    **dict.fromkeys(("benchmark",), "cudnn may choose freely with trainer.deterministic=false"),
    **dict.fromkeys(("fastdevrun", "limittrainbatches", "limitvalbatches", "limittestbatches"), _LIMIT),
    **dict.fromkeys(("limitpredictbatches", "overfitbatches", "dryrun", "maxsamples", "subset"), _LIMIT),
    **dict.fromkeys(("maxsteps", "minsteps", "minepochs", "steps", "iterations", "maxiter"), _LENGTH),
    **dict.fromkeys(("accumulategradbatches", "accumulation", "gradientaccumulationsteps"), _BATCH),
    **dict.fromkeys(("valcheckinterval", "checkvaleverynepoch", "logeverynsteps", "evalevery"), _EVERY),
    **dict.fromkeys(("logger", "callbacks", "enablecheckpointing", "enableprogressbar", "enablemodelsummary"), _ALWAYS),
    **dict.fromkeys(("wandb", "tensorboard", "profiler", "numsanityvalsteps"), _ALWAYS),
}


def explain_foreign(key: str) -> str | None:
    """How a setting that other tools have under this name is typed here; None for a name that is not widely used.

    Args:
        key: as typed, without its value; of a path the last part counts.
    """
    last = key.rpartition(".")[2].lower()
    return _SAYINGS.get(last.replace("_", "").replace("-", ""))
