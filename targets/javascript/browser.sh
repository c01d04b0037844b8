#!/bin/sh
# Chromium, and after it the end of the folder that it wrote to. Chromium ends when the pipe to its driver breaks.
"$OPCONFORM_CHROMIUM" "$@"
status=$?
rm -rf -- "$OPCONFORM_ROOM"
exit $status
