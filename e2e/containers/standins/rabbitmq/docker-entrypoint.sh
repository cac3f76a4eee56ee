#!/bin/sh
# Gives the data folder to the user rabbitmq and runs the command as that user.
set -e
chown -R rabbitmq:rabbitmq /var/lib/rabbitmq
exec setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups -- "$@"
