"""The test suites that SimpleJWT, django-rest-knox and DRF publish of their own, with Countersign in place of their views."""
