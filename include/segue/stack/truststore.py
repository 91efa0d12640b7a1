"""The CAs that Spark's JVMs trust: those of Java, and the one of MongoDB's certificates.

pymongo reads the PEM file of `SEGUE_MONGO_CA_FILE` itself. Java does not, so Segue makes a truststore of it. Java
reads one truststore for all its connections. Therefore it has Java's own CAs too, for example for an object store.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from segue import private
from segue.connections import mongo
from segue.errors import ConfigurationError, StackError
from segue.settings import Settings
from segue.stack import prerequisites

FILE: Final = "truststore.p12"
PASSWORD: Final = "changeit"  # noqa: S105 - Java's own default: a truststore has only certificates, which are public


def options(settings: Settings, *, local: bool) -> tuple[str, ...]:
    """Return the JVM's options that choose the truststore.

    Parameters
    ----------
    settings : Settings
    local : bool
        Whether the JVM runs on this machine. An executor has the file in its working directory, see :func:`ship`.

    Returns
    -------
    tuple of str
        Empty if MongoDB needs no CA of its own.
    """
    if mongo.ca_file(settings) is None:
        return ()
    store = "-Djavax.net.ssl.trustStore"
    return f"{store}={path(settings) if local else FILE}", f"{store}Type=PKCS12", f"{store}Password={PASSWORD}"


def ship(settings: Settings) -> dict[str, str]:
    """Return Spark's property that copies the truststore to the executors of a cluster."""
    return {"spark.files": str(path(settings))} if mongo.ca_file(settings) else {}


def path(settings: Settings) -> Path:
    """Return the file of the truststore."""
    return settings.state_dir / "spark" / FILE


def write(settings: Settings) -> None:
    """Write the truststore, if MongoDB needs a CA of its own.

    Raises
    ------
    ConfigurationError
        If the file of the CA cannot be read, or has no certificate.
    StackError
        If Java's CAs cannot be read.
    """
    authority = mongo.ca_file(settings)
    if authority is None:
        return
    try:
        own = x509.load_pem_x509_certificates(authority.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"SEGUE_MONGO_CA_FILE: {authority} cannot be read as PEM: {error}.") from None
    named = [
        pkcs12.PKCS12Certificate(certificate, f"{number}".encode())
        for number, certificate in enumerate(dict.fromkeys([*own, *_of_java()]))
    ]
    store = pkcs12.serialize_java_truststore(named, BestAvailableEncryption(PASSWORD.encode()))
    private.write(path(settings), store)


def _of_java() -> list[x509.Certificate]:
    java = prerequisites.java()
    keytool = shutil.which("keytool", path=str(Path(java).parent)) or shutil.which("keytool") or "keytool"
    command = [keytool, "-list", "-rfc", "-cacerts", "-storepass", PASSWORD]
    try:
        answer = subprocess.run(command, capture_output=True, check=True)
        return x509.load_pem_x509_certificates(answer.stdout)
    except FileNotFoundError:
        raise StackError(
            f"Java's program keytool is missing beside {java}. {prerequisites.INSTALL_JAVA}"
        ) from None
    except (subprocess.CalledProcessError, ValueError) as error:
        said = getattr(error, "stdout", b"").decode(errors="replace").strip() or str(error)
        raise StackError(f"keytool cannot list the CAs that Java trusts: {said}") from None
