"""The Celery application of test_celery.py, which its worker imports."""

import os

from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded

import belfry
from rig import DRIVER, URL, recipe

app = Celery("belfry", broker=URL, backend="rpc://")
app.conf.broker_connection_retry_on_startup = True
# Of this run alone: a worker that is ended may leave a task for the next one.
app.conf.task_default_queue = os.environ["BELFRY_TEST_QUEUE"]


def output_of(job_id):
    return [f"line {n} of {job_id} by {os.getpid()}" for n in (1, 2, 3)]


run_job = recipe("@app.task", app=app, output_of=output_of, __name__=__name__)["run_job"]


@app.task(soft_time_limit=1, time_limit=20)
def limited(url):
    """Emits to a broker that does not answer, with more time than the task has."""
    try:
        return f"emit returned {belfry.Emitter(url, timeout=60, driver=DRIVER).emit('jobs-a', {})}"
    except SoftTimeLimitExceeded:
        return "SoftTimeLimitExceeded"


if os.environ.get("BELFRY_TEST_WORKER"):
    # The parent of the pool has a connection, before it forks.
    belfry.configure(url=URL, driver=DRIVER)
    belfry.emit_channel_notification("jobs-parent", os.getpid())
