# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check service dicts in Ansible itself: no host is contacted, and a thousand services are not sent anywhere."""

from __future__ import annotations

import pathlib
import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

from ansible_collections.lbforge.haproxy.plugins.module_utils._inventory.movement import movement
from ansible_collections.lbforge.haproxy.plugins.module_utils._inventory.templates import names_read
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.certificates import user_certificates
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.model import Model, build, plain_service
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import check
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.plugins.module_utils.mask import masked, masked_data

ARGUMENTS = {
    "services": {"type": "raw", "default": []},
    "extra_services": {"type": "raw", "default": []},
    "settings": {"type": "dict", "default": {}},
    "stats_password": {"type": "str", "no_log": True},
    "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
    "hosts": {"type": "dict", "default": {}},
    "variable_names": {"type": "list", "elements": "str", "default": []},
    "known_variables": {"type": "list", "elements": "str", "default": []},
    "keepalived": {"type": "dict"},
    "own_addresses": {"type": "list", "elements": "str", "default": []},
    "has_facts": {"type": "bool", "default": False},
    "addresses_elsewhere": {"type": "list", "elements": "raw", "default": []},
    "template": {"type": "str"},
}


class ActionModule(ActionBase):
    """Runs on the controller, whichever host the task is for."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        _validation, params = self.validate_argument_spec(ARGUMENTS)
        unknown = set(params["variable_names"]).difference(params["known_variables"])
        params["known_variables"] += names_read(unknown, task_vars or {})
        try:
            return {**result, **validate(params, self.render, self.read_file)}
        except LbforgeError as error:
            details = masked_data(error.details, params["secrets"])
            return {**result, "failed": True, "msg": masked(str(error), params["secrets"]), **details}

    def read_file(self, path: str) -> str:
        """The text of a file on the controller, found where M(ansible.builtin.copy) finds its sources."""
        try:
            return str(self._loader.get_text_file_contents(self._find_needle("files", path)))
        except AnsibleError as error:
            raise OSError(error.message) from error

    def render(self, template: str, model: Model) -> str:
        """Render the model immediately.

        The lookup of templates copies every variable of the host for each of them, and Ansible every value of a model
        in a variable whenever a task looks at it: with a thousand services that takes seconds.
        """
        text = pathlib.Path(self._find_needle("templates", template)).read_text(encoding="utf-8")
        managed = self._templar.template(trust_as_template("{{ ansible_managed | default('Ansible managed') }}"))
        variables = {"haproxy": model.as_dict(), "ansible_managed": managed}
        templar = self._templar.copy_with_new_env(available_variables=variables)
        return str(templar.template(trust_as_template(text)))


def validate(
    params: t.Mapping[str, t.Any], render: t.Callable[[str, Model], str], read_file: t.Callable[[str], str]
) -> dict[str, t.Any]:
    """Return what the module documents, or raise Invalid with every mistake."""
    moved = None
    if params["keepalived"] is not None:
        moved = movement(
            params["keepalived"], params["own_addresses"], params["has_facts"], params["addresses_elsewhere"]
        )
    checked = check(
        {"haproxy_service_configs": params["services"], "haproxy_extra_services": params["extra_services"]},
        {**params["settings"], "haproxy_stats_password": params["stats_password"]},
        params["hosts"],
        params["variable_names"],
        params["known_variables"],
        params["secrets"],
        moved,
        read_file,
    ).or_raise()
    warnings = checked.problems.warnings
    result = {
        "changed": False,
        "user_certificates": user_certificates(checked.services, checked.settings),
        "warning_details": [problem.as_dict() for problem in warnings],
        "warnings": [str(problem) for problem in warnings],
    }
    if params["template"]:
        model = build(checked)
        # Secret: it includes passwords.
        return {
            **result,
            "configuration": render(params["template"], model),
            "model": model.without_sections(),
            "_ansible_no_log": True,
        }
    services = [plain_service(service) for service in checked.services]
    shown: dict[str, t.Any] = masked_data({**result, "services": services}, params["secrets"])
    return shown
