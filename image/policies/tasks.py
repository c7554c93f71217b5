"""The rule of the list of tasks."""

from image.policies.base import ADMIN, rule

RULES = [rule("tasks_api_access", ADMIN, "List, show and create tasks",
              "GET /v2/tasks", "POST /v2/tasks", "GET /v2/tasks/{task_id}")]
