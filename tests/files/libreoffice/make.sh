#!/bin/sh
# Make the files of this folder again from their sources. LibreOffice's settings stay as they are.
set -eu
cd "$(dirname "$0")"
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
convert() {
    file=$1
    shift
    for format; do
        "${SOFFICE:-soffice}" "-env:UserInstallation=file://$profile" --headless \
            --convert-to "$format" --outdir . "sources/$file"
    done
}
convert report.fodt docx odt pdf epub doc
convert figures.fods xlsx xls ods
convert talk.fodp pptx pdf
