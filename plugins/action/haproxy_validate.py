# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check service dicts in Ansible itself: no host is contacted, and a thousand services are not sent anywhere."""

from __future__ import annotations

import pathlib
import re
import typing as t

from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.model import Model, build, user_certificates
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.undefined import is_marked
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import check
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.vips import Moved, Movement
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.carried import VIP_VARIABLES, carried
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
NAME = re.compile(r"[A-Za-z_]\w*")
# What Ansible adds: facts, and the variables of all hosts once more.
NOT_THE_USERS = re.compile(r"ansible_|(hostvars|vars|groups|group_names|environment)$")


class ActionModule(ActionBase):
    """Runs on the controller, whichever host the task is for."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        _validation, params = self.validate_argument_spec(ARGUMENTS)
        params["known_variables"] += read_by_templates(params, task_vars or {})
        try:
            return {**result, **validate(params, self.render)}
        except LbforgeError as error:
            details = masked_data(error.details, params["secrets"])
            return {**result, "failed": True, "msg": masked(str(error), params["secrets"]), **details}

    def render(self, template: str, model: Model) -> str:
        """Lay out the model, here and at once.

        The lookup of templates copies every variable of the host for each of them, and Ansible every value of a model
        in a variable whenever a task looks at it: with a thousand services that takes seconds.
        """
        text = pathlib.Path(self._find_needle("templates", template)).read_text(encoding="utf-8")
        managed = self._templar.template(trust_as_template("{{ ansible_managed | default('Ansible managed') }}"))
        variables = {"haproxy": model.as_dict(), "ansible_managed": managed}
        templar = self._templar.copy_with_new_env(available_variables=variables)
        return str(templar.template(trust_as_template(text)))


def read_by_templates(params: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]) -> list[str]:
    """Variables that only the user's own templates read, as far as they are unknown otherwise."""
    unknown = set(params["variable_names"]).difference(params["known_variables"])
    values = (value for name, value in variables.items() if not NOT_THE_USERS.match(name))
    return sorted(unknown.intersection(names_in_templates(values))) if unknown else []


def names_in_templates(values: t.Iterable[t.Any]) -> t.Iterator[str]:
    """Every word of every template, variables among them."""
    for value in values:
        if isinstance(value, str):
            if "{{" in value or "{%" in value:
                yield from NAME.findall(value)
        elif isinstance(value, t.Mapping):
            yield from names_in_templates(value.values())
        elif isinstance(value, (list, tuple)):
            yield from names_in_templates(value)


def movement(params: t.Mapping[str, t.Any]) -> Movement | None:
    """What keepalived moves, in the words of services."""
    variables = params["keepalived"]
    if variables is None:
        return None
    addresses, mistakes = carried(without_marks(variables))
    named = tuple(VIP_VARIABLES.values())
    elsewhere = [entry["address"] if isinstance(entry, dict) else entry for entry in params["addresses_elsewhere"]]
    return Movement(
        [Moved(str(one.address.ip), *one.spot[:2], one.spot.path.startswith(named)) for one in addresses],
        [(*spot[:2], why) for spot, why in mistakes],
        frozenset(params["own_addresses"]),
        params["has_facts"],
        frozenset(map(str, elsewhere)),
        not variables.get("keepalived_track_haproxy", True) or bool(variables.get("keepalived_virtual_servers")),
        is_whole=not hides_addresses(variables),
    )


def without_marks(value: t.Any) -> t.Any:
    """What could be resolved, with nothing in the place of the rest."""
    if is_marked(value):
        return None
    if isinstance(value, dict):
        return {name: without_marks(item) for name, item in value.items()}
    return [without_marks(item) for item in value] if isinstance(value, (list, tuple)) else value


def hides_addresses(value: t.Any, key: str = "") -> bool:
    """Whether an address may stand where something could not be resolved: interfaces, say, are known by facts only."""
    if is_marked(value):
        return key in ("", "cidr", "vips", "vips_excluded", "raw") or key.startswith(("haproxy_", "keepalived_"))
    if isinstance(value, dict):
        return any(hides_addresses(item, str(name)) for name, item in value.items())
    return isinstance(value, (list, tuple)) and any(hides_addresses(item, key) for item in value)


def validate(params: t.Mapping[str, t.Any], render: t.Callable[[str, Model], str]) -> dict[str, t.Any]:
    """Return what the module documents, or raise Invalid with every mistake."""
    checked = check(
        {"haproxy_service_configs": params["services"], "haproxy_extra_services": params["extra_services"]},
        {**params["settings"], "haproxy_stats_password": params["stats_password"]},
        params["hosts"],
        params["variable_names"],
        params["known_variables"],
        params["secrets"],
        movement(params),
    ).or_raise()
    doubts = [problem.as_dict() for problem in checked.problems.warnings]
    result = {
        "changed": False,
        "services": checked.services,
        "user_certificates": user_certificates(checked.services, checked.settings),
        "doubts": doubts,
        "warnings": [doubt["text"] for doubt in doubts],
    }
    if params["template"]:
        model = build(checked)
        # What HAProxy needs, passwords included: Ansible must not show it.
        del result["services"]
        return {
            **result,
            "configuration": render(params["template"], model),
            "model": model.without_sections(),
            "_ansible_no_log": True,
        }
    shown: dict[str, t.Any] = masked_data(result, params["secrets"])
    return shown
