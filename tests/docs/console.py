"""Kafka's own console producer, as a program that a shell finds by its usual name."""

import shlex
import subprocess
from pathlib import Path

from scripts.stack.builds import build_once
from scripts.stack.places import environment, tools_dir
from scripts.stack.progress import Say
from scripts.stack.tools import java

#: The command line tools of Kafka are published later than the broker; any 4.x speaks with any.
VERSION = "4.3.0"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>vectorize.local</groupId><artifactId>kafka-tools-runtime</artifactId>
  <version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId>
      <version>{VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""


def console_tools(folder: Path, say: Say) -> Path:
    """Write `kafka-console-producer.sh` into `folder`; its jars are fetched by Maven once."""
    jars = build_once(
        tools_dir(environment()) / f"kafka-tools-{VERSION}",
        f"kafka-tools-{VERSION}.jar",
        _fetch,
        what="Kafka's command line tools",
        say=say,
    )
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "kafka-console-producer.sh"
    command = [java(), "-cp", f"{jars}/*", "org.apache.kafka.tools.ConsoleProducer"]
    script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    script.chmod(0o755)
    return folder


def _fetch(folder: Path) -> None:
    pom = folder / "pom.xml"
    pom.write_text(_POM)
    command = ["mvn", "-B", "-q", "-ntp", "-f", str(pom), _COPY, f"-DoutputDirectory={folder}"]
    subprocess.run([*command, "-DincludeScope=runtime"], check=True, timeout=300)
