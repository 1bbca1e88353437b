#!/bin/sh
# Starts, and says nothing.
exec tail -f /dev/null
