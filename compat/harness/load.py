"""Many clients at once, each on a connection it keeps."""

import http.client
import json
import threading


class Client:
    """One keep-alive connection that reconnects when the server closed it."""

    def __init__(self, server, timeout=60):
        self.server, self.timeout, self.connection = server, timeout, None

    def post(self, path, body):
        """(status, object) of a JSON POST. Raises OSError or HTTPException when the server is gone."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=self.timeout)
        try:
            self.connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = self.connection.getresponse()
            content = answer.read()
            if answer.will_close:
                self.close()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        try:
            return answer.status, json.loads(content)
        except ValueError:
            return answer.status, content

    def close(self):
        """Drops the connection."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def in_parallel(jobs):
    """Runs callables in threads of their own, started together; results in order, first error raised."""
    results, errors = [None] * len(jobs), []
    barrier = threading.Barrier(len(jobs))

    def run(index, job):
        try:
            barrier.wait(30)
            results[index] = job()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    if errors:
        raise errors[0]
    return results
