"""``/api/v1``: projects, builds and deliveries, for those who hold a token.

``routes.py`` is the one table of calls: the resources and the OpenAPI document are made of it.
"""
