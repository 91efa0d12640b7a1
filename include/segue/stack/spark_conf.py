"""Spark's configuration folder, which every ``spark-submit`` and every session of this stack uses."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from segue import private
from segue.connections import mongo, object_store
from segue.settings import FILE_VARIABLE, Settings
from segue.stack import class_archive, jars, truststore

JVM = (
    "-Duser.timezone=UTC",
    # ALS' lineage grows with each iteration; deserializing it overflowed the default stack of 1 MiB.
    "-Xss4m",
)
DRIVER_JVM = (
    "-XX:+UseParallelGC",
    # Ten times HotSpot's defaults. With the defaults, a job of one minute spent a fifth of its CPU time on
    # optimizing code that was never hot.
    "-XX:Tier4InvocationThreshold=50000",
    "-XX:Tier4MinInvocationThreshold=6000",
    "-XX:Tier4CompileThreshold=150000",
    "-XX:Tier4BackEdgeThreshold=400000",
    # The default, but not if the optimizing compiler is off. A job then filled a fifth of it within minutes, and
    # compiled what it had thrown away.
    "-XX:ReservedCodeCacheSize=240m",
    # The connector's pool of clients delays the end of the JVM by this time; the default is 5 s.
    "-Dmongodb.keep_alive_ms=500",
    # MLlib multiplies matrices in Java, as in every installation of Spark by pip. These paths suppress the warning
    # that no native BLAS was found.
    "-Ddev.ludovic.netlib.blas.nativeLibPath=/none",
    "-Ddev.ludovic.netlib.lapack.nativeLibPath=/none",
)

PARTITIONERS = "com.mongodb.spark.sql.connector.read.partitioner"
ONE_PARTITION = f"{PARTITIONERS}.SinglePartitionPartitioner"
BY_SAMPLE = f"{PARTITIONERS}.SamplePartitioner"

JOINTS = {
    "spark.jars": ",",
    "spark.jars.packages": ",",
    "spark.files": ",",
    "spark.sql.extensions": ",",
    "spark.driver.extraClassPath": ":",
    "spark.executor.extraClassPath": ":",
    "spark.driver.extraJavaOptions": " ",
    "spark.executor.extraJavaOptions": " ",
}
"""Properties that are lists, with what stands between two of their values."""

_LOCAL = {
    # The executor's heartbeats come from the driver's own process. After a suspension, they would be too late, and
    # all running tasks would fail.
    "spark.storage.blockManagerHeartbeatTimeoutMs": "365d",
    # Other users of the machine can reach the driver's ports. Spark makes a secret for each application.
    "spark.authenticate": "true",
    # Few partitions: with small data on one machine, a partition costs more than its rows.
    "spark.sql.shuffle.partitions": "4",
}

_PRIVATE = {
    # Hadoop sets the modes of local files itself. A lake outside of the home may be shared with other users.
    "spark.hadoop.fs.permissions.umask-mode": f"{private.UMASK:03o}",
}

LOG4J2 = """\
# Warnings and errors only, so that the job's own lines stand out in a task's log.
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n%ex
# Spark warns of every task above a megabyte. Other warnings of the same class, such as lost tasks, matter.
appender.stderr.filter.large.type = RegexFilter
appender.stderr.filter.large.regex = .*contains a task of very large size.*
appender.stderr.filter.large.onMatch = DENY
appender.stderr.filter.large.onMismatch = NEUTRAL

# Hadoop has no native library on most machines and needs none.
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
# The 518 features make every plan longer than what Spark prints.
logger.plans.name = org.apache.spark.util.SparkStringUtils
logger.plans.level = error
# The MongoDB connector passes its options in two spellings.
logger.options.name = org.apache.spark.sql.util.CaseInsensitiveStringMap
logger.options.level = error
# Spark warns of tasks above a megabyte; a plan of 518 features, or a model, is larger.
logger.tasks.name = org.apache.spark.scheduler.DAGScheduler
logger.tasks.level = error
# Spark warns that a local checkpoint truncates the lineage, which is its purpose. Delta makes some.
logger.checkpoints.name = org.apache.spark.rdd.MapPartitionsRDD
logger.checkpoints.level = error
# Spark warns of a pool that no file describes. It has the defaults then.
logger.pools.name = org.apache.spark.scheduler.FairSchedulableBuilder
logger.pools.level = error
# LBFGS logs a failure when a line search starts over, although the fit continues.
logger.optimizers.name = breeze.optimize
logger.optimizers.level = off
"""


def write(settings: Settings) -> Path:
    """Write ``spark-defaults.conf`` and ``log4j2.properties``, and the truststore if there is one.

    Returns
    -------
    Path
        The folder, for SPARK_CONF_DIR. Each call writes it again. Its content depends only on `settings`.
    """
    folder = _folder(settings)
    truststore.write(settings)
    lines = [f"{key} {value}" for key, value in properties(settings).items()]
    private.write(folder / "spark-defaults.conf", "\n".join(lines) + "\n")
    private.write(folder / "log4j2.properties", LOG4J2)
    return folder


def properties(settings: Settings) -> dict[str, str]:
    """Return Spark's properties (see https://spark.apache.org/docs/latest/configuration.html)."""
    made = {
        **(_LOCAL if settings.is_local else _on_cluster(settings)),
        **(_object_store(settings) if object_store.is_used(settings) else {}),
        "spark.master": settings.spark_master,
        "spark.driver.memory": f"{settings.spark_driver_memory_mb}m",
        **class_archive.properties(settings),
        "spark.driver.extraJavaOptions": _joined(
            *JVM, *DRIVER_JVM, *class_archive.options(settings), *truststore.options(settings, local=True)
        ),
        "spark.executor.extraJavaOptions": _joined(*JVM, *truststore.options(settings, local=False)),
        **truststore.ship(settings),
        # PySpark looks up the caller's file and line for each column expression. Half of the time in which Python
        # builds a query was spent on it. The traceback of an error has both.
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # Spark keeps the plans of the last 1,000 queries for its UI, also if the UI is off.
        "spark.ui.retainedJobs": "10",
        "spark.ui.retainedStages": "10",
        "spark.ui.retainedTasks": "100",
        "spark.sql.ui.retainedExecutions": "10",
        "spark.databricks.delta.snapshotPartitions": "1",
        # Size to which small files are joined. A run of one day rewrites the whole file with this day.
        "spark.databricks.delta.optimize.minFileSize": str(16 * 2**20),
        "spark.databricks.delta.optimize.maxFileSize": str(32 * 2**20),
        # Almost all values are different, so a dictionary saves no space.
        "spark.hadoop.parquet.enable.dictionary#features.list.element": "false",
        # Otherwise a VACUUM makes two commits per table, and then every day would be published again.
        "spark.databricks.delta.vacuum.logging.enabled": "false",
        # VACUUM uses this option too. Otherwise it lists a folder in 10,000 tasks.
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "32",
        # A commit takes its turn while the next files are extracted. Otherwise it would wait for all of them.
        "spark.scheduler.mode": "FAIR",
        "spark.cleaner.referenceTracking.cleanCheckpoints": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        # The default of 10,000 vectors would take hundreds of megabytes in each Python worker.
        "spark.sql.execution.arrow.maxRecordsPerBatch": "2000",
        # Below this size, Spark keeps a table that comes from Python as one object a row, in several copies. The
        # 2.8 million pairs of 5 million listens took 1.2 GB, and the training ended without memory.
        "spark.sql.execution.arrow.localRelationThreshold": "1m",
        "spark.sql.warehouse.dir": str(settings.state_dir / "spark" / "warehouse"),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        # Spark hides these in its logs, event logs and UI. Its default does not know where MongoDB's and Kafka's
        # passwords are.
        "spark.redaction.regex": "(?i)secret|password|token|access[.]?key|connection[.]uri|jaas|keystore[.]key",
        "spark.mongodb.read.connection.uri": mongo.for_java(settings.mongo),
        # Do not use sampling or statistics. For these, the embedded servers read all documents, or do not answer.
        "spark.mongodb.read.partitioner": ONE_PARTITION if settings.mongo_uri is None else BY_SAMPLE,
        "spark.mongodb.read.database": settings.mongo_database,
        "spark.mongodb.write.connection.uri": mongo.for_java(settings.mongo),
        "spark.mongodb.write.database": settings.mongo_database,
        **(_PRIVATE if settings.lake is None else {}),
    }
    return _merged(made, settings.spark_properties)


def _joined(*options: str) -> str:
    """Join the options of a JVM. Paths may contain spaces."""
    return " ".join(map(shlex.quote, options))


def _on_cluster(settings: Settings) -> dict[str, str]:
    """Return what a cluster needs: its size, and for Python what the executors do not inherit from the driver."""
    limits = {name: value for name, value in settings.environment.items() if name.startswith("SEGUE_AUDIO_")}
    inherited = limits | object_store.variables() | {FILE_VARIABLE: ""}
    size = {
        "spark.executor.cores": str(settings.spark_executor_cores),
        "spark.executor.memory": f"{settings.spark_executor_memory_mb}m",
    }
    if settings.spark_cores:
        size |= {
            "spark.cores.max": str(settings.spark_cores),
            "spark.executor.instances": str(max(1, settings.spark_cores // settings.spark_executor_cores)),
            "spark.sql.shuffle.partitions": str(max(4, 2 * settings.spark_cores)),
        }
    return size | {f"spark.executorEnv.{name}": value for name, value in inherited.items()}


def _object_store(settings: Settings) -> dict[str, str]:
    # The executors read the jars from their own disks: 690 MB are too much to fetch for each application.
    # Amazon's bundle contains an SLF4J that does not find Log4j 2, so Spark's own must come first.
    first = ":".join(map(str, sorted((jars.spark_home() / "jars").glob("slf4j-api-*.jar"))))
    class_path = f"{first}:{settings.jars_dir / jars.OBJECT_STORE / '*'}"
    return object_store.spark_properties() | {
        "spark.driver.extraClassPath": class_path,
        "spark.executor.extraClassPath": class_path,
    }


def _merged(made: dict[str, str], further: str) -> dict[str, str]:
    """Add the properties of ``SEGUE_SPARK_PROPERTIES``, which win, or are joined to lists."""
    for name, _, value in (each.strip().partition("=") for each in further.split(";") if each.strip()):
        joint = JOINTS.get(name)
        made[name] = f"{made[name]}{joint}{value}" if joint and made.get(name) else value
    return made


def environment(settings: Settings) -> dict[str, str]:
    """Return the variables for a process that starts Spark, by ``spark-submit`` or from Python."""
    python = str(Path(sys.prefix) / "bin" / "python")
    return {
        **settings.environment,
        "SPARK_HOME": str(jars.spark_home()),
        "SPARK_CONF_DIR": str(_folder(settings)),
        "SPARK_LOCAL_DIRS": str(_scratch(settings)),
        # Executors on other machines must reach the driver.
        **({"SPARK_LOCAL_IP": "127.0.0.1"} if settings.is_local else {}),
        "PYSPARK_PYTHON": python,
        "PYSPARK_DRIVER_PYTHON": python,
    }


def remove_scratch(settings: Settings) -> None:
    """Remove the files of killed applications. Call this only while no application runs."""
    shutil.rmtree(_scratch(settings), ignore_errors=True)


def _scratch(settings: Settings) -> Path:
    return settings.state_dir / "spark" / "scratch"


def _folder(settings: Settings) -> Path:
    return settings.state_dir / "spark" / "conf"
