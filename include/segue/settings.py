"""The whole configuration.

Every field is an environment variable with the prefix ``SEGUE_``, or a line of the project's file ``segue.toml``.
The variable wins. The code is the same on one machine and on a cluster; only these values differ.
The comments above groups of fields are the headings of the page of settings (`make docs`).
"""

from __future__ import annotations

import json
import os
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal
from zoneinfo import available_timezones

from croniter import croniter
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from upath import UPath

from segue import secrets
from segue.connection_strings import with_options
from segue.errors import ConfigurationError
from segue.settings_file import SettingsFile, is_password

PROJECT_DIR = Path(__file__).resolve().parents[2]

FILE_VARIABLE = "SEGUE_CONFIG"
"""Variable with the path of the settings file. If it is empty, no file is read."""


def settings_file() -> Path | None:
    """Return the path of the settings file, by default ``segue.toml`` in the project. It need not exist."""
    given = os.environ.get(FILE_VARIABLE)
    if given is None:
        return PROJECT_DIR / "segue.toml"
    return Path(given).expanduser().resolve() if given else None


class Settings(BaseSettings):
    """Immutable settings, validated when they are first read."""

    model_config = SettingsConfigDict(env_prefix="SEGUE_", frozen=True, extra="ignore")

    # Folders and the corpus
    home: Path = Field(PROJECT_DIR / ".segue", description="Folder for everything that Segue writes.")
    corpus: str = Field(
        "sample",
        pattern=r"^[a-z0-9][a-z0-9-]{0,62}$",
        description="Name of the corpus; its lake, database files and logs are in <home>/<corpus>.",
    )
    music: Path | UPath | None = Field(
        None, description="Folder of audio files, or URL such as s3://bucket/music; default <home>/<corpus>/music."
    )
    metadata: Path | UPath | None = Field(
        None,
        description="Metadata table, or FMA's metadata folder, or its URL; default that in or beside <music>.",
    )
    metadata_columns: str = Field(
        "",
        pattern=r"^([a-z_]+=[^,=]+(,[a-z_]+=[^,=]+)*)?$",
        description="Column names of the table, such as `track_id=id,artist=Artist Name`; default Segue's names.",
    )
    metadata_min_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Smallest share of the table's rows with a file, or of files with a row, without a warning.",
    )
    skip_weight: float = Field(
        0.0, ge=0, le=1, description="How many plays a skip counts as, in training and recommendations."
    )
    challenger_share: float = Field(
        0.0, ge=0, le=1, description="Share of listeners who get lists of champion and challenger, interleaved."
    )
    lake: str | None = Field(
        None,
        description="Folder of the Delta tables, or URL such as s3://bucket/lake; default <home>/<corpus>/lake.",
    )
    models: str | None = Field(
        None,
        description="Folder of the models' files, or URL such as s3://bucket/models; default "
        "<home>/<corpus>/mlflow/artifacts. A server of MLflow has a setting of its own for it.",
    )
    jars: Path | None = Field(None, description="Folder of the JVM jars; default <home>/jars.")

    # Airflow, schedules and ports
    airflow_port: int = Field(18080, ge=1, le=65535, description="Port of the Airflow UI and REST API.")
    airflow_database: str | None = Field(
        None, description="Airflow's database, an SQLAlchemy URL; default SQLite in the state folder."
    )
    airflow_keep_days: int = Field(
        90,
        ge=14,
        description="Days for which runs, their logs and the reports of their jobs are kept; the DAG maintenance "
        "deletes older ones.",
    )
    genre_model_schedule: str = Field(
        "0 2 * * *", description="When the DAG genre_model runs, as a cron expression in the time zone below."
    )
    recommender_schedule: str = Field(
        "0 3 * * *", description="When the DAG recommender runs, as a cron expression in the time zone below."
    )
    timezone: str = Field(
        "UTC",
        description="Time zone of these schedules, such as Europe/Berlin. Days of the corpus are always UTC.",
    )
    kafka_port: int = Field(19092, ge=1, le=65535, description="Port of the embedded Kafka broker.")
    kafka_controller_port: int = Field(19093, ge=1, le=65535, description="Port of the embedded KRaft controller.")
    mongo_port: int = Field(27117, ge=1, le=65535, description="Port of the embedded document server.")

    # The listens API
    api_host: str = Field("127.0.0.1", description="Address that the listens API binds to.")
    api_port: int = Field(18100, ge=1, le=65535, description="Port of the listens API.")
    api_proxies: str = Field(
        "",
        description="Addresses or networks of reverse proxies in front of the listens API, separated by commas. "
        "Only their X-Forwarded-For and X-Forwarded-Proto are believed.",
    )
    api_requests_per_window: int = Field(
        300,
        ge=1,
        description="Requests that one account may send to the listens API in 10 seconds; more are slowed down.",
    )
    api_anonymous_requests_per_window: int = Field(
        50, ge=1, description="Requests that one address may send there without a valid token in 10 seconds."
    )
    lastfm_keys: str = Field(
        "segue=segue",
        pattern=r"^\w+=\w+(,\w+=\w+)*$",
        description="API keys that players of Last.fm's protocol may use, each with its shared secret.",
    )

    # Playlists on a Subsonic server
    subsonic_url: str | None = Field(
        None,
        pattern=r"^https?://[^/?#]+",
        description="Address of a Subsonic server, such as Navidrome's, that the DAG playlists writes to.",
    )
    subsonic_username: str | None = Field(None, description="User name on the Subsonic server.")
    subsonic_password: SecretStr | None = Field(None, description="Password on the Subsonic server.")
    subsonic_listener: str | None = Field(
        None, description="User of Segue whose playlists are written there; default the one of the same name."
    )

    # Kafka, the document server and the registry
    kafka_bootstrap_servers: str | None = Field(None, description="Kafka brokers; default the embedded one.")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="Protocol of the brokers: with encryption (SSL), with a password (SASL), or both."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="SASL mechanism; required with a SASL_… protocol."
    )
    kafka_sasl_username: str | None = Field(None, description="User name for SASL.")
    kafka_sasl_password: SecretStr | None = Field(None, description="Password for SASL.")
    kafka_ssl_cafile: Path | None = Field(
        None, description="PEM file of the CA of the brokers' certificates; default the system's CAs."
    )
    kafka_ssl_certfile: Path | None = Field(
        None, description="PEM file of the certificate by which Segue proves to the brokers who it is."
    )
    kafka_ssl_keyfile: Path | None = Field(
        None, description="PEM file of the key of this certificate; default the file of the certificate."
    )
    kafka_ssl_key_password: SecretStr | None = Field(None, description="Password of this key, if it has one.")
    listens_topic: str = Field("listens", description="Kafka topic of listening events.")
    dead_letters_topic: str = Field("listens.dlq", description="Kafka topic of unreadable messages.")
    feedback_topic: str = Field("feedback", description="Kafka topic of love and hate for recordings.")
    recommendations_topic: str = Field("recommendations", description="Kafka topic of new recommendations.")
    accounts_topic: str = Field("accounts", description="Kafka topic that mirrors accounts and removals.")
    health_topic: str = Field("segue.health", description="Kafka topic of the probes that checks write.")
    tracks_topic: str = Field("tracks", description="Kafka topic of days whose tracks are new or have changed.")
    live_group: str = Field("segue-live", description="Consumer group of the live recommendations.")
    retraining_group: str = Field("segue-incremental-retraining", description="Consumer group of the retraining.")
    new_tracks_group: str = Field("segue-new-tracks", description="Consumer group of the DAG new_tracks.")
    mongo_uri: str | None = Field(None, description="MongoDB connection string; default the embedded server.")
    mongo_ca_file: Path | None = Field(
        None,
        description="PEM file of the CA of MongoDB's certificates, which turns TLS on; default the system's CAs.",
    )
    mongo_database: str = Field("segue", description="Database of the integrated dataset.")
    document_server: str = Field(
        "auto",
        min_length=1,
        description="Embedded document server: auto (the best of this machine), mongod, secantusd-rs, "
        "secantusd-py, or the path of one of these programs.",
    )
    mongo_memory_mb: int = Field(
        1500,
        ge=256,
        description="Memory limit of the embedded document server, in MB; above it the server is unhealthy.",
    )
    mlflow_tracking_uri: str | None = Field(
        None, description="MLflow registry; default SQLite in the state folder."
    )
    tuning_storage: str | None = Field(
        None,
        description="Database of Optuna's studies, an SQLAlchemy URL; default SQLite in the state folder.",
    )

    # Spark
    spark_master: str = Field(
        "local[2,4]", description="Spark master URL; local[2,4] is two cores and four attempts per task."
    )
    spark_driver_memory_mb: int = Field(2048, ge=512, description="Heap of the Spark driver, in MiB.")
    spark_applications: int = Field(
        1, ge=1, description="Spark applications that Airflow runs at a time, as slots of its pool `spark`."
    )
    spark_cores: int | None = Field(
        None, ge=1, description="Cores of a cluster that one Spark job takes; default what the master gives."
    )
    spark_executor_cores: int = Field(2, ge=1, description="Cores of one executor of a cluster.")
    spark_executor_memory_mb: int = Field(2048, ge=512, description="Heap of one executor of a cluster, in MiB.")
    spark_properties: str = Field(
        "",
        pattern=r"^(\s*spark\.[\w.#*-]+=[^;]*(;|$))*\s*$",
        description="Further properties of Spark, such as `spark.a=1;spark.b=2`. They win over those that Segue "
        "sets. Lists of jars, packages and Java options are added to Segue's.",
    )
    spark_job_hours: float = Field(
        24.0, gt=0, description="Time limit of one Spark job, in hours; a longer job is ended and tried again."
    )

    # Alerts
    alert_urls: SecretStr | None = Field(
        None,
        description="Where alerts go: Apprise URLs such as ntfy://host/topic or mailtos://user:password@host, "
        "separated by spaces.",
    )

    # Lineage and metrics of Airflow
    lineage_transport: SecretStr | None = Field(
        None,
        description="Where Airflow's OpenLineage events go: a transport of OpenLineage's client in JSON, such as "
        '`{"type": "http", "url": "http://127.0.0.1:5000"}`, or `{}` for nowhere; default the file '
        "<home>/<corpus>/logs/openlineage.log.",
    )
    statsd_address: str | None = Field(
        None,
        pattern=r"^[^\s:]+:[0-9]{1,5}$",
        description="HOST:PORT of the StatsD server, such as Prometheus' statsd_exporter, that gets Airflow's "
        "metrics; default none.",
    )

    # The quality gate
    gate_max_gone: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Largest share of the known files that may be gone at once, if 20 or more are.",
    )
    gate_max_rejected: float = Field(0.5, ge=0, le=1, description="Largest share of files that may be rejected.")
    gate_max_duplicates: float = Field(
        0.5, ge=0, le=1, description="Largest share of tracks that may be duplicates."
    )
    gate_max_outliers: float = Field(0.3, ge=0, le=1, description="Largest share of tracks that may be outliers.")
    gate_min_labelled: float = Field(
        0.0, ge=0, le=1, description="Smallest share of tracks that must have a genre."
    )
    gate_max_drift: float = Field(
        0.9, ge=0, le=1, description="Largest Kolmogorov-Smirnov distance of a descriptor from the last good run."
    )
    gate_max_genre_shift: float = Field(
        0.9,
        ge=0,
        le=1,
        description="Largest share of vanished genres, or rise of one genre, since the last good run.",
    )
    gate_max_null_rise: float = Field(
        0.5, ge=0, le=1, description="Largest rise of a column's share of nulls since the last good run."
    )

    # Limits of audio files
    audio_max_size_mb: int = Field(8192, ge=1, description="Size of the largest audio file that is read, in MiB.")
    audio_max_duration_s: float = Field(
        6 * 3600.0, gt=0, description="Longest audio that is accepted, in seconds."
    )
    audio_timeout_s: float = Field(120.0, gt=0, description="CPU time limit of one file, in seconds.")
    audio_memory_mb: int = Field(2048, ge=64, description="Memory limit of the extraction of one file, in MiB.")
    audio_musical: bool = Field(
        True, description="Whether the extraction measures tempo, key and loudness, too: a tenth more CPU."
    )

    # A learned embedding, and the vectors that the models use
    audio_embedding_model: str | None = Field(
        None,
        description="Path or URL of an ONNX model that embeds each recording, too; all machines must be able to "
        "read it. Default none.",
    )
    audio_embedding_sample_rate: int = Field(
        16_000, ge=1_000, le=384_000, description="Sample rate that this model expects, in Hz."
    )
    audio_embedding_window_s: float = Field(
        3.0, gt=0, le=600, description="Length of the audio that it takes at a time, in seconds."
    )
    audio_embedding_hop_s: float | None = Field(
        None, gt=0, description="Time between the starts of two windows, in seconds; default the window's length."
    )
    audio_embedding_output: str | None = Field(
        None, description="Name of the model's output that is the embedding; default its only one."
    )
    sound_vectors: str = Field(
        "features",
        pattern=r"^[a-z][a-z0-9_]*(,[a-z][a-z0-9_]*)*$",
        description="Vectors of a track that similarity, recommender and genre model use, separated by commas: "
        "`features` (the 518), `embedding`, or another binary field of float32 values in MongoDB.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as pydantic calls it
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources of values: arguments, environment, file. The first one that has a value wins."""
        return init_settings, env_settings, SettingsFile(settings_cls, settings_file())

    @field_validator("models", "audio_embedding_model")
    @classmethod
    def _absolute_place(cls, place: str | None) -> str | None:
        return str(Path(place).expanduser().resolve()) if place and "://" not in place else place

    @field_validator("music", "metadata", mode="before")
    @classmethod
    def _url_or_folder(cls, place: object) -> object:
        """Keep a URL as it is, so that it does not become a relative path."""
        return UPath(str(place)) if "://" in str(place) else place

    @field_validator("music", "metadata")
    @classmethod
    def _absolute_folder(cls, place: Path | UPath | None) -> Path | UPath | None:
        return place.expanduser().resolve() if isinstance(place, Path) else place

    @field_validator(
        "home", "jars", "kafka_ssl_cafile", "kafka_ssl_certfile", "kafka_ssl_keyfile", "mongo_ca_file"
    )
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        """Make paths absolute, so that they mean the same in every process."""
        return path.expanduser().resolve() if path else None

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        """Refuse a name that the database of time zones does not have."""
        if zone not in available_timezones():
            raise ValueError("no such time zone; use a name such as Europe/Berlin")
        return zone

    @field_validator("genre_model_schedule", "recommender_schedule")
    @classmethod
    def _cron(cls, expression: str) -> str:
        """Refuse what is no cron expression. In Airflow it would only be an error of the DAG's file."""
        if not croniter.is_valid(expression):
            raise ValueError("no cron expression, such as 30 1 * * *")
        return expression

    @field_validator("lineage_transport")
    @classmethod
    def _transport(cls, transport: SecretStr | None) -> SecretStr | None:
        """Refuse what is no transport. Airflow would only write a warning into the log of each task."""
        if transport is not None:
            try:
                read = json.loads(transport.get_secret_value())
            except ValueError:
                read = None
            if not isinstance(read, dict) or (read and "type" not in read):
                raise ValueError('no JSON object with a type, such as {"type": "console"}, and not {} either')
        return transport

    @field_validator("api_proxies")
    @classmethod
    def _addresses(cls, proxies: str) -> str:
        """Refuse a value that is no address. All clients behind a proxy that is not recognised look like one."""
        for proxy in filter(None, (each.strip() for each in proxies.split(","))):
            ip_network(proxy)  # its ValueError says what is wrong
        return proxies

    @model_validator(mode="after")
    def _one_port_each(self) -> Settings:
        """Refuse the same port for two services of the stack."""
        owners: dict[int, str] = {}
        for field in (name for name in type(self).model_fields if name.endswith("_port")):
            port, setting = getattr(self, field), f"SEGUE_{field.upper()}"
            if port in owners:
                raise ValueError(f"{owners[port]} and {setting} are both {port}: give each a port of its own")
            owners[port] = setting
        return self

    @model_validator(mode="after")
    def _complete_login(self) -> Settings:
        """Refuse a SASL protocol without mechanism, user name or password, and a key without certificate."""
        if self.kafka_security_protocol.startswith("SASL"):
            needed = ("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password")
            if missing := [f"SEGUE_{name.upper()}" for name in needed if getattr(self, name) is None]:
                names, protocol = " and ".join(missing), self.kafka_security_protocol
                raise ValueError(f"SEGUE_KAFKA_SECURITY_PROTOCOL is {protocol}: set {names} too")
        if self.kafka_ssl_keyfile and not self.kafka_ssl_certfile:
            raise ValueError("SEGUE_KAFKA_SSL_KEYFILE is set: set SEGUE_KAFKA_SSL_CERTFILE too")
        return self

    @property
    def state_dir(self) -> Path:
        """Folder of this corpus: data and logs of the services, lake, registry."""
        return self.home / self.corpus

    @property
    def music_dir(self) -> Path | UPath:
        """Root of the audio files: a `Path` on this machine, or a URL that fsspec reads."""
        return self.music or self.state_dir / "music"

    @property
    def metadata_mapping(self) -> dict[str, str]:
        """The table's column name for each of Segue's names in `metadata_columns`."""
        pairs = self.metadata_columns.split(",") if self.metadata_columns else []
        return dict(pair.split("=", 1) for pair in pairs)

    @property
    def vector_columns(self) -> tuple[str, ...]:
        """The names in `sound_vectors`, each once."""
        return tuple(dict.fromkeys(self.sound_vectors.split(",")))

    @property
    def lastfm_secrets(self) -> dict[str, str]:
        """The shared secret of each API key in `lastfm_keys`."""
        return dict(pair.split("=", 1) for pair in self.lastfm_keys.split(","))

    @property
    def lake_uri(self) -> str:
        """Root of the Delta tables. Spark knows S3 as ``s3a://`` only."""
        return self.lake.replace("s3://", "s3a://", 1) if self.lake else str(self.state_dir / "lake")

    @property
    def models_uri(self) -> str:
        """Root of the models' files, if MLflow is a database and not a server.

        MLflow knows S3 as ``s3://`` only.
        """
        default = (self.state_dir / "mlflow" / "artifacts").as_uri()
        if self.models is None:
            return default
        return self.models.replace("s3a://", "s3://", 1) if "://" in self.models else Path(self.models).as_uri()

    @property
    def is_local(self) -> bool:
        """Whether Spark's jobs run in a single process of this machine, and not on a cluster."""
        return self.spark_master.startswith("local")

    @property
    def jars_dir(self) -> Path:
        """Folder of the JVM jars, with the subfolders ``kafka`` and ``spark``."""
        return self.jars or self.home / "jars"

    @property
    def kafka_bootstrap(self) -> str:
        """Brokers as ``host:port[,host:port]``."""
        return self.kafka_bootstrap_servers or f"127.0.0.1:{self.kafka_port}"

    @property
    def mongo(self) -> str:
        """Connection string of the document server.

        With ``journal=true`` an acknowledged write survives a kill -9. With ``w=majority`` it survives the loss of
        one of several servers. The other options are for an embedded server that is busy. They are needed because
        Java's driver fails on late answers to its streaming heartbeat. Both drivers also drop their connections
        when a heartbeat takes longer than ``connectTimeoutMS``. The connection string of a server elsewhere has
        ``tlsCAFile`` if there is a CA file.
        """
        waits = "serverMonitoringMode=poll&connectTimeoutMS=120000&socketTimeoutMS=300000"
        options = f"directConnection=true&w=majority&journal=true&{waits}"
        if self.mongo_uri is None:
            return f"mongodb://{self.mongo_login}127.0.0.1:{self.mongo_port}/?{options}"
        if self.mongo_ca_file is None:
            return self.mongo_uri
        return with_options(self.mongo_uri, {"tls": "true", "tlsCAFile": self.mongo_ca_file})

    @property
    def mongo_login(self) -> str:
        """User and password of the embedded document server, as in a connection string: ``user:password@``.

        Empty before the first `segue up`, which creates the password.
        """
        stored = secrets.read(self.state_dir)
        return f"{secrets.USER}:{stored.mongo_password}@" if stored and stored.mongo_password else ""

    @property
    def airflow_uri(self) -> str:
        """Airflow's database."""
        return self.airflow_database or f"sqlite:///{self.state_dir / 'airflow' / 'airflow.db'}?timeout=30"

    @property
    def mlflow_uri(self) -> str:
        """Tracking and registry URI of MLflow."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.state_dir / 'mlflow' / 'mlflow.db'}"

    @property
    def tuning(self) -> str:
        """Database of Optuna's studies."""
        return self.tuning_storage or f"sqlite:///{self.state_dir / 'mlflow' / 'tuning.db'}"

    @property
    def environment(self) -> dict[str, str]:
        """These settings as environment variables, for child processes. They read no settings file."""
        shown = {name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in self}
        set_ = {f"SEGUE_{name.upper()}": str(value) for name, value in shown.items() if value is not None}
        return set_ | {FILE_VARIABLE: ""}


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Read the settings from the environment and the settings file.

    Returns
    -------
    Settings
        The same object at every call in one process.

    Raises
    ------
    ConfigurationError
        If a variable has a value that cannot work. The message names the variable and the remedy.
    """
    return read_settings()


def read_settings(**values: Any) -> Settings:
    """Read the settings from given values. Read the missing ones from the environment and the settings file.

    Parameters
    ----------
    **values
        By the name of the field.

    Returns
    -------
    Settings

    Raises
    ------
    ConfigurationError
        If a field has a value that cannot work. The message names its variable and the remedy.
    """
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:  # several settings contradict each other
            raise ConfigurationError(f"{first['msg'].removeprefix('Value error, ')}.") from error
        name = str(first["loc"][0])
        shown = "**********" if is_password(Settings, name) else repr(first["input"])
        variable, file = f"SEGUE_{name.upper()}", settings_file()
        if name not in values and source(name) == str(file):
            said = f"{file}: {name} = {shown}: {first['msg']}. Correct or remove this line."
        else:
            said = f"{variable}={shown}: {first['msg']}. Correct or unset it."
        raise ConfigurationError(said) from error


def source(name: str) -> str:
    """Return where the value of a setting comes from.

    Parameters
    ----------
    name : str
        Name of a field of `Settings`.

    Returns
    -------
    str
        Name of the environment variable, path of the settings file, or ``default``.
    """
    variable, file = f"SEGUE_{name.upper()}", settings_file()
    if variable in os.environ:
        return variable
    applied = SettingsFile(Settings, file).values(os.environ.get("SEGUE_CORPUS"))
    return str(file) if name in applied else "default"
