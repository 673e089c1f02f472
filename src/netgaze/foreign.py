"""What other tools call a setting, and its name here. Imports nothing: the command line needs it at once."""

# How it is typed here: what it is called elsewhere, by the last part of a key, without _ and -, in lower case.
_NAMES = {
    "The learning rate is optim.lr": "lr learningrate initlr baselr maxlr lr0",
    "Epochs are trainer.max_epochs": "epoch numepochs nepochs",
    "Images per step are data.batch_size": "batchsize bs batch trainbatchsize",
    "Weight decay is optim.weight_decay": "wd weightdecay",
    "Momentum is optim.momentum, of optim=sgd": "momentum",
    "The optimizer is optim=sgd or optim=adamw": "optimizer optimiser opt",
    "The schedule is schedule=one_cycle, cosine, multistep or constant": "scheduler lrscheduler sched lrschedule",
    "Warm-up is schedule.warmup_epochs, of schedule=cosine": "warmup warmupepochs warmupsteps",
    "GPUs are trainer.accelerator=gpu trainer.devices=1": "gpu gpus numgpus ngpus cuda",
    "The device is trainer.accelerator=auto, cpu or gpu": "device accelerator",
    "A run stays on one machine; trainer.devices is the number of its devices": "numnodes devices",
    "Images are in memory, so there are no workers; trainer.threads sets the CPU threads": (
        "numworkers workers nworkers pinmemory persistentworkers prefetchfactor"
    ),
    "Threads are trainer.threads": "threads numthreads nthreads",
    "Weights to start from are init=imagenet, init=outputs/<run> or init=<file of weights>": (
        "pretrained weights pretrainedpath pretrainedcfg checkpointpath"
    ),
    "To resume a run, type resume=outputs/<run>": "checkpoint ckpt ckptpath resumefrom resumefromcheckpoint",
    "The data set is data=cifar10, data=folder data.dir=<folder> or another one": "dataset ds",
    "Your own images are data=folder data.dir=<folder>": "datadir dataroot root datapath imgdir",
    "The network is model=resnet18 or another one": "arch architecture network net backbone modelname",
    "The side of the images is data.image_size": "imagesize imgsize imgsz inputsize resize size",
    "The number of classes follows the data": "numclasses nclasses nc",
    "Precision is trainer.precision=32, bf16-mixed or 16-mixed": (
        "amp fp16 bf16 halfprecision mixedprecision precision"
    ),
    "A run's folder is hydra.run.dir=<folder>": "outputdir out outdir savedir logdir output defaultrootdir project",
    "A run's name is name=<word>": "expname experimentname runname",
    "Early stopping is trainer.patience": "earlystopping earlystop",
    "Clipping is trainer.gradient_clip_val": "gradclip clipgrad gradclipnorm maxgradnorm gradientclipalgorithm",
    "Label smoothing is task.label_smoothing": "smoothing labelsmooth",
    "Validation images are data.num_val, a number of them": "valsplit valfraction valsize valratio",
    "Test images are data.num_test, a number of them": "testsplit testsize testratio",
    "Augmentation is data.augment.crop_padding, flip, crop_scale, color_jitter and others": (
        "augmentation augmentations transform transforms aug"
    ),
    "The seed is seed=0": "randomseed manualseed randomstate",
    "cuDNN chooses the fastest algorithms with trainer.deterministic=false": "benchmark",
    "For a short test, type trainer.max_epochs=1 data.limit=100": (
        "fastdevrun limittrainbatches limitvalbatches limittestbatches limitpredictbatches overfitbatches dryrun "
        "maxsamples subset"
    ),
    "Training ends by trainer.max_epochs or trainer.max_time; an epoch's length is data.epoch_size": (
        "maxsteps minsteps minepochs steps iterations maxiter"
    ),
    "Every batch is one step; choose its size by data.batch_size": (
        "accumulategradbatches accumulation gradientaccumulationsteps"
    ),
    "Each epoch is validated; callback.online_eval.every adds figures every so many epochs": (
        "valcheckinterval checkvaleverynepoch logeverynsteps evalevery"
    ),
    "Logs, checkpoints and validation are callbacks, as in ~callback.tensorboard": (
        "callbacks enablecheckpointing enableprogressbar enablemodelsummary tensorboard profiler numsanityvalsteps"
    ),
    "Trackers are logger=wandb, logger=mlflow and logger=csv": (
        "wandb usewandb wandbproject mlflow csvlogger tracker trackers loggers reportto trackingbackend"
    ),
}
_SAYINGS = {name: said for said, names in _NAMES.items() for name in names.split()}


def explain_foreign(key: str) -> str | None:
    """How a setting that other tools have under this name is typed here; None for a name that is not widely used.

    Args:
        key: as typed, without its value; of a path the last part counts.
    """
    last = key.rpartition(".")[2].lower()
    return _SAYINGS.get(last.replace("_", "").replace("-", ""))
