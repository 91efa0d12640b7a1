"""The options of Kafka's clients: brokers, encryption and login, in the words of each kind of client.

Airflow's Kafka connection uses librdkafka's names. kafka-python and Java have names of their own. One table maps
them, so that a setting means the same to the API, the sensors, the importers and Spark.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from kafka import KafkaAdminClient

from segue import secrets
from segue.errors import ConfigurationError
from segue.settings import Settings

OTHER_NAMES: Final = {
    "sasl.mechanisms": "sasl_mechanism",
    "sasl.username": "sasl_plain_username",
    "sasl.password": "sasl_plain_password",
    "ssl.ca.location": "ssl_cafile",
    "ssl.certificate.location": "ssl_certfile",
    "ssl.key.location": "ssl_keyfile",
    "ssl.key.password": "ssl_password",
    "ssl.crl.location": "ssl_crlfile",
    "ssl.endpoint.identification.algorithm": "ssl_check_hostname",
}
"""kafka-python's name for each option that has another name in librdkafka and in Airflow's Kafka connection."""

SECURITY: Final = ("security.", "sasl.", "ssl.", "enable.ssl.")
"""How the names of options begin that decide about encryption and login."""

VARIABLES: Final = {
    "ssl_cafile": "SEGUE_KAFKA_SSL_CAFILE",
    "ssl_certfile": "SEGUE_KAFKA_SSL_CERTFILE",
    "ssl_keyfile": "SEGUE_KAFKA_SSL_KEYFILE",
}
"""The setting of each file."""

LOGIN_MODULES: Final = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}

EMBEDDED_MECHANISM: Final = "SCRAM-SHA-256"
"""How clients log in to the embedded broker. The password never leaves the client.

So a program of another user, which listens on the broker's port while the broker is down, does not learn it.
"""


def options(settings: Settings) -> dict[str, str]:
    """Return brokers and security under librdkafka's names, which Airflow's Kafka connection uses.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    dict of str to str
        ``bootstrap.servers``; ``security.protocol``, ``sasl.*`` and ``ssl.*`` if they are set.
    """
    if settings.kafka_bootstrap_servers is None:
        return {"bootstrap.servers": settings.kafka_bootstrap, **_login(settings)}
    password, key_password = settings.kafka_sasl_password, settings.kafka_ssl_key_password
    named = {
        "bootstrap.servers": settings.kafka_bootstrap,
        "security.protocol": settings.kafka_security_protocol,
        "sasl.mechanism": settings.kafka_sasl_mechanism,
        "sasl.username": settings.kafka_sasl_username,
        "sasl.password": password and password.get_secret_value(),
        "ssl.ca.location": settings.kafka_ssl_cafile,
        "ssl.certificate.location": settings.kafka_ssl_certfile,
        "ssl.key.location": settings.kafka_ssl_keyfile,
        "ssl.key.password": key_password and key_password.get_secret_value(),
    }
    return {name: str(value) for name, value in named.items() if value}


def _login(settings: Settings) -> dict[str, str]:
    """Return the security of the embedded broker. Before the first `segue up` there is no password."""
    stored = secrets.read(settings.state_dir)
    if stored is None or not stored.kafka_password:
        return {"security.protocol": "PLAINTEXT"}
    return {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": EMBEDDED_MECHANISM,
        "sasl.username": secrets.USER,
        "sasl.password": stored.kafka_password,
    }


def for_python(named: Mapping[str, Any]) -> dict[str, Any]:
    """Translate options under librdkafka's names into keyword arguments of kafka-python's clients.

    Parameters
    ----------
    named : mapping
        Options of all kinds, also those of consumers and producers only. Airflow's connection may have them for
        other tasks. They are left out, unless they decide about encryption or login.

    Returns
    -------
    dict
        Arguments that each of kafka-python's clients knows.

    Raises
    ------
    ConfigurationError
        If an option of encryption or login is unknown, or one of its files cannot be used.
    """
    made: dict[str, Any] = {}
    for name, value in named.items():
        python = OTHER_NAMES.get(name, name.replace(".", "_"))
        if python in KafkaAdminClient.DEFAULT_CONFIG:
            made[python] = _typed(name, value, KafkaAdminClient.DEFAULT_CONFIG[python])
        elif name.startswith(SECURITY):
            raise ConfigurationError(
                f"Segue's Kafka clients do not know the option {name}. For encryption and login they know "
                f"security.protocol, sasl.mechanism, {', '.join(sorted(OTHER_NAMES))}."
            )
    if made.get("security_protocol", "").endswith("SSL"):
        _check_files(made)
    return made


def _typed(name: str, value: Any, default: object) -> Any:
    """Give an option the type that kafka-python wants. Airflow's form may store numbers as text."""
    if name == "ssl.endpoint.identification.algorithm":
        return str(value).lower() not in ("", "none")
    if name == "security.protocol":
        return str(value).upper()
    if isinstance(default, bool) and isinstance(value, str):
        return value.lower() == "true"
    if isinstance(default, int) and isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            raise ConfigurationError(f"The Kafka option {name} is {value!r}, which is no number.") from None
    return value


def _check_files(made: Mapping[str, Any]) -> None:
    """Load the files once, because kafka-python would only log that it cannot, and try for ever."""
    for name, variable in VARIABLES.items():
        try:
            Path(made.get(name) or os.devnull).read_bytes()
        except OSError as error:
            raise ConfigurationError(f"{variable}: {made[name]} cannot be read: {error.strerror}.") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority := made.get("ssl_cafile"):
        try:
            context.load_verify_locations(authority)
        except ssl.SSLError:
            raise ConfigurationError(
                f"{VARIABLES['ssl_cafile']}: {authority} has no certificate in PEM form."
            ) from None
    if certificate := made.get("ssl_certfile"):
        try:
            # Without a password, OpenSSL would ask for one at the terminal.
            context.load_cert_chain(certificate, made.get("ssl_keyfile"), made.get("ssl_password") or "")
        except ssl.SSLError as error:
            raise ConfigurationError(
                f"{VARIABLES['ssl_certfile']}: {certificate} cannot be used with its key ({error.reason}). The "
                "key must belong to the certificate, and be without a password or have the one in "
                "SEGUE_KAFKA_SSL_KEY_PASSWORD."
            ) from None


def for_spark(settings: Settings) -> dict[str, str]:
    """Return the options of Spark's Kafka source and sink.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    dict of str to str
        Their names are ``kafka.*``. ``kafka.sasl.jaas.config`` contains user and password. Certificates and key
        are the text of their files, because executors on other machines do not have the files.

    Raises
    ------
    ConfigurationError
        If a file cannot be used.
    """
    named = options(settings)
    user, password = named.pop("sasl.username", ""), named.pop("sasl.password", "")
    files = for_python(named)
    java = {name: value for name, value in named.items() if not name.startswith("ssl.")}
    if authority := files.get("ssl_cafile"):
        java |= {"ssl.truststore.type": "PEM", "ssl.truststore.certificates": _certificates(authority)}
    if certificate := files.get("ssl_certfile"):
        key = _pkcs8(files.get("ssl_keyfile") or certificate, files.get("ssl_password"))
        java |= {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.certificate.chain": _certificates(certificate),
            "ssl.keystore.key": key,
        }
    if mechanism := named.get("sasl.mechanism"):
        module = LOGIN_MODULES[mechanism]
        java["sasl.jaas.config"] = f'{module} required username="{_quoted(user)}" password="{_quoted(password)}";'
    return {f"kafka.{name}": value for name, value in java.items()}


def _certificates(file: str) -> str:
    """Return the certificates of a file, without comments and without a key that is there too."""
    text = Path(file).read_text(encoding="utf-8", errors="replace")
    return "\n".join(re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", text, re.DOTALL))


def _pkcs8(file: str, password: str | None) -> str:
    """Read a key in the only form that Java reads from PEM. OpenSSL writes others too."""
    key = serialization.load_pem_private_key(Path(file).read_bytes(), password.encode() if password else None)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
