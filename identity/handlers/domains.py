"""Domains: the namespaces of users and projects."""

from identity.handlers.crud import Crud
from identity.services import domains

CRUD = Crud(domains.NOUN)
index, show, create, update, delete = CRUD.index, CRUD.show, CRUD.create, CRUD.update, CRUD.delete
