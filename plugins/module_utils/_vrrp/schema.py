# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every key of the ``keepalived_*`` variables: its type, its bounds and the word keepalived has for it.

The model, its error messages and the order of the lines come from these tables: a new key is a new row. A table
within a table is a block within a block. The last table, ``FILE``, is the whole keepalived.conf, and its keys are the
variables without their prefix.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

Kind = t.Literal[
    "integer",
    "number",
    "seconds",
    "weight",
    "address",
    "word",
    "words",
    "text",
    "script",
    "flag",
    "flag_or_word",
    "switch",
    "list",
    "lines",
    "raw",
    "map",
]

Version = tuple[int, ...]


@dataclass(frozen=True)
class Key:
    """One key of a section.

    ``word`` is one token, ``words`` are several, ``text`` is put in quotes, and so is the command of a ``script``.
    ``flag`` stands without a value or not at all, ``switch`` says true or false. ``weight`` is a whole number that
    ``reverse`` may follow. ``list`` is a block with one entry a line; ``lines`` and ``raw`` are such lines without a
    block, and only ``raw`` may hold braces. ``map`` is a line for each entry of a dictionary.
    """

    name: str
    kind: Kind
    keyword: str = ""
    low: float = 0
    high: float = 2**31 - 1
    longest: int = 0
    """Characters of the value that keepalived uses; 0 is without a limit."""
    choices: tuple[str, ...] = ()
    """What the (first) word may be."""
    required: bool = False
    default: str = ""
    """What is written where nothing is set."""
    default_beside: tuple[str, ...] = ()
    """The default is only written beside one of these keys."""
    block: str = ""
    """The block that a single setting is written into."""
    title: bool = False
    """Stands in the title of the block."""
    behind: tuple[str, ...] = ()
    """The keys whose every line this is written behind."""
    item: tuple[str, ...] = ()
    """The keys of a line that is given as a dictionary, in the order in which their values are written."""
    addresses: bool = False
    """Every entry begins with an address."""
    secret: bool = False
    """Messages do not quote the value."""
    since: Version = ()
    """The keepalived that introduced it, where that matters: 2.2.7 and older ones of the 2.2 series know the rest."""
    fractions_since: Version = ()
    """The keepalived that introduced parts of a second."""

    @property
    def written(self) -> str:
        return self.keyword or ("" if self.title or self.behind else self.name)


@dataclass(frozen=True)
class Section:
    """A kind of block of keepalived.conf, and the key that holds its dictionaries."""

    name: str
    keyword: str
    shape: t.Literal["named", "list", "single"]
    """A dictionary by name, a list of dictionaries, or one dictionary."""
    own_rows: tuple[Key | Section, ...]
    also: tuple[str, ...] = ()
    """Keys that mean something to the role and nothing to keepalived."""
    one_of: tuple[str, ...] = ()
    """Keys of which exactly one is needed."""
    required: bool = False
    partial: bool = False
    """Another section of the same variable knows all keys."""
    since: Version = ()

    @property
    def rows(self) -> tuple[Key | Section, ...]:
        return (*self.own_rows, RAW)

    @property
    def scripts(self) -> tuple[Key, ...]:
        """The commands, each of which may come with a file: ``src_KEY``, and ``dest_KEY`` where it goes to."""
        return tuple(row for row in self.own_rows if isinstance(row, Key) and row.kind == "script")


RAW = Key("raw", "raw")
"""The last resort, a key of every section: lines that are written as they are."""


# ---------------------------------------------------------------------------------------------------------------------
# global_defs
# ---------------------------------------------------------------------------------------------------------------------


def _process(name: str) -> tuple[Key, ...]:
    """How one of keepalived's processes is scheduled."""
    return (
        Key(f"{name}_priority", "integer", low=-20, high=19),
        Key(f"{name}_rt_priority", "integer", low=1, high=99),
        Key(f"{name}_rlimit_rttime", "integer", low=2),
        Key(f"{name}_no_swap", "flag"),
        Key(f"{name}_cpu_affinity", "words"),
    )


GLOBAL = Section(
    "global_settings",
    "global_defs",
    "single",
    (
        Key("router_id", "word"),
        Key("default_interface", "word"),
        Key("dynamic_interfaces", "flag_or_word"),
        # Mail
        Key("notification_email", "list"),
        Key("notification_email_from", "word"),
        Key("smtp_server", "words"),
        Key("smtp_helo_name", "word"),
        Key("smtp_connect_timeout", "integer", low=1),
        Key("smtp_alert", "switch"),
        Key("smtp_alert_vrrp", "switch"),
        Key("smtp_alert_checker", "switch"),
        Key("no_email_faults", "flag"),
        Key("no_checker_emails", "flag"),
        # Scripts and pipes
        Key("script_user", "words"),
        Key("enable_script_security", "flag"),
        Key("use_symlink_paths", "switch", since=(2, 3, 0)),
        Key("startup_script", "script"),
        Key("startup_script_timeout", "integer", low=1, high=1000),
        Key("shutdown_script", "script"),
        Key("shutdown_script_timeout", "integer", low=1, high=1000),
        Key("notify_fifo", "words"),
        Key("notify_fifo_script", "script"),
        Key("vrrp_notify_fifo", "words"),
        Key("vrrp_notify_fifo_script", "script"),
        Key("lvs_notify_fifo", "words"),
        Key("lvs_notify_fifo_script", "script"),
        Key("vrrp_notify_priority_changes", "switch"),
        Key("fifo_write_vrrp_states_on_reload", "flag", since=(2, 2, 5)),
        # Adverts
        Key("vrrp_version", "integer", low=2, high=3),
        Key("vrrp_mcast_group4", "address"),
        Key("vrrp_mcast_group6", "address"),
        Key("vrrp_check_unicast_src", "flag"),
        Key("vrrp_skip_check_adv_addr", "flag"),
        Key("vrrp_strict", "flag"),
        Key("vrrp_startup_delay", "seconds", high=1000),
        Key("vrrp_down_timer_adverts", "integer", low=1, high=100),
        Key("vrrp_lower_prio_no_advert", "switch"),
        Key("vrrp_higher_prio_send_advert", "switch"),
        Key("v3_checksum_as_v2", "switch", since=(2, 2, 8)),
        Key("log_unknown_vrids", "flag"),
        # Gratuitous ARP and neighbour advertisements
        Key("vrrp_garp_master_delay", "integer"),
        Key("vrrp_garp_master_repeat", "integer", low=1),
        Key("vrrp_garp_master_refresh", "integer"),
        Key("vrrp_garp_master_refresh_repeat", "integer", low=1),
        Key("vrrp_garp_lower_prio_delay", "integer"),
        Key("vrrp_garp_lower_prio_repeat", "integer"),
        Key("vrrp_garp_interval", "seconds", high=1),
        Key("vrrp_gna_interval", "seconds", high=1),
        Key("vrrp_garp_extra_if", "words"),
        Key("vrrp_min_garp", "switch"),
        # Interfaces that keepalived makes, and the packet filter it keeps for them
        Key("vmac_prefix", "word"),
        Key("vmac_addr_prefix", "word"),
        Key("nftables", "flag_or_word"),
        Key("nftables_ipvs", "flag_or_word"),
        # The processes
        Key("max_auto_priority", "integer", low=-1, high=99),
        *_process("vrrp"),
        *_process("checker"),
        *_process("bfd"),
        # Reloads
        Key("reload_check_config", "flag_or_word"),
        Key("reload_file", "flag_or_word"),
        Key("reload_time_file", "word"),
        # LVS
        Key("lvs_sync_daemon", "words"),
        Key("lvs_timeouts", "words"),
        Key("lvs_flush", "flag"),
        Key("lvs_flush_on_stop", "flag_or_word"),
        Key("checker_log_all_failures", "switch"),
        Key("rs_init_notifies", "flag"),
        # Management
        Key("enable_traps", "flag"),
        Key("enable_snmp_vrrp", "flag"),
        Key("enable_snmp_checker", "flag"),
        Key("snmp_socket", "word"),
        Key("enable_dbus", "flag"),
    ),
)

# ---------------------------------------------------------------------------------------------------------------------
# What is tracked
# ---------------------------------------------------------------------------------------------------------------------

BFD_INSTANCE = Section(
    "bfd_instances",
    "bfd_instance",
    "named",
    (
        Key("neighbor_ip", "address", required=True),
        Key("source_ip", "address"),
        # Milliseconds
        Key("min_rx", "number", low=1, high=1000),
        Key("min_tx", "number", low=1, high=1000),
        Key("idle_tx", "number", low=1000, high=10000),
        Key("multiplier", "integer", low=1, high=255),
        Key("passive", "flag"),
        Key("ttl", "integer", low=1, high=255),
        Key("hoplimit", "integer", low=1, high=255),
        Key("max_hops", "integer", low=0, high=255),
        Key("multihop", "switch", since=(2, 2, 8)),
        Key("weight", "weight", low=-253, high=253),
        Key("vrrp", "flag"),
        Key("checker", "flag"),
    ),
)

SCRIPT = Section(
    "scripts",
    "vrrp_script",
    "named",
    (
        Key("check_script", "script", "script", required=True),
        Key("interval", "seconds", low=0.001, high=86400, fractions_since=(2, 3, 2)),
        Key("timeout", "seconds", low=0.001, high=86400, fractions_since=(2, 3, 2)),
        Key("fall", "integer", low=1),
        Key("rise", "integer", low=1),
        Key("weight", "weight", low=-253, high=253),
        Key("user", "words"),
        Key("init_fail", "flag"),
    ),
    also=("instance", "soft"),
)

TRACK_FILE = Section(
    "track_files",
    "track_file",
    "named",
    (
        Key("file", "text", required=True),
        Key("weight", "weight", low=-254, high=254),
        Key("init_file", "flag_or_word"),
    ),
    also=("instance", "soft"),
)

TRACK_PROCESS = Section(
    "track_processs",
    "vrrp_track_process",
    "named",
    (
        Key("process", "words", required=True),
        Key("param_match", "word", choices=("initial", "partial")),
        Key("weight", "weight", low=-254, high=254),
        Key("quorum", "integer", low=1, high=65535),
        Key("quorum_max", "integer", low=0, high=65535),
        Key("fork_delay", "seconds", high=3600),
        Key("terminate_delay", "seconds", high=3600),
        Key("delay", "seconds", high=3600),
        Key("full_command", "flag"),
    ),
    also=("instance", "soft"),
)

_TRACKERS = (
    Key("track_interfaces", "list", "track_interface"),
    Key("track_scripts", "list", "track_script"),
    Key("track_files", "list", "track_file"),
    Key("track_processs", "list", "track_process"),
    Key("track_bfds", "list", "track_bfd"),
)

# ---------------------------------------------------------------------------------------------------------------------
# VRRP
# ---------------------------------------------------------------------------------------------------------------------

_NOTIFIERS = (
    Key("notify_script", "script", "notify"),
    Key("notify_master", "script"),
    Key("notify_backup", "script"),
    Key("notify_fault", "script"),
    Key("notify_stop", "script"),
    Key("notify_priority_changes", "switch"),
    Key("smtp_alert", "switch"),
)


def _run_as(*scripts: str) -> Key:
    """The user, and perhaps the group, that runs these scripts instead of ``script_user``."""
    return Key("notify_user", "words", behind=scripts)


SYNC_GROUP = Section(
    "sync_groups",
    "vrrp_sync_group",
    "named",
    (
        Key("instances", "list", "group", required=True),
        *_TRACKERS,
        *_NOTIFIERS,
        _run_as("notify_script", "notify_master", "notify_backup", "notify_fault", "notify_stop"),
        Key("sync_group_tracking_weight", "flag"),
    ),
)

AUTH_HMAC = Section(
    "auth_hmac",
    "auth_hmac",
    "single",
    (
        # By number: 32 to 64 bytes as text, hex:… or file:PATH
        Key("key", "map", low=1, high=255, required=True, secret=True),
        Key("active_key", "integer", low=1, high=255, required=True),
        Key("anti_replay", "word", choices=("time", "monotonic")),
        Key("time_window", "integer", low=1, high=300),
        Key("mode", "word", choices=("enforce", "permissive")),
    ),
    since=(2, 4, 0),
)

INSTANCE = Section(
    "instances",
    "vrrp_instance",
    "named",
    (
        Key("interface", "word", required=True),
        Key("state", "word", choices=("MASTER", "BACKUP"), required=True),
        Key("virtual_router_id", "integer", low=1, high=255, required=True),
        Key("priority", "integer", low=1, high=255, required=True),
        Key("version", "integer", low=2, high=3),
        Key("advert_int", "seconds", low=0.01, high=255),
        Key("down_timer_adverts", "integer", low=1, high=100),
        # A virtual MAC address
        Key("use_vmac", "flag_or_word"),
        Key("use_vmac_addr", "flag"),
        Key("vmac_xmit_base", "flag"),
        Key("use_ipvlan", "flag_or_word"),
        # Who takes over
        Key("nopreempt", "flag"),
        Key("preempt_delay", "seconds", high=1000),
        Key("timer_expired_backup", "flag_or_word", since=(2, 2, 8)),
        # Without it each advert that a holder hears, also one that it refuses, puts its own off by an interval: whoever
        # sends often enough silences it, and the next node takes over beside it.
        Key("lower_prio_no_advert", "switch", default="true", default_beside=("unicast_peers",)),
        Key("higher_prio_send_advert", "switch"),
        Key("dont_track_primary", "flag"),
        Key("accept", "flag"),
        Key("no_accept", "flag"),
        Key("native_ipv6", "flag"),
        Key("strict_mode", "switch"),
        # Who talks to whom
        Key("authentication_type", "word", "auth_type", choices=("PASS", "AH"), block="authentication"),
        Key("authentication_password", "text", "auth_pass", longest=8, block="authentication", secret=True),
        Key("mcast_src_ip", "address"),
        Key("mcast_dst_ip", "address"),
        Key("unicast_src_ip", "address"),
        Key("track_src_ip", "flag"),
        # keepalived's own default in IPv4; in IPv6 it would be the kernel's.
        Key("unicast_ttl", "integer", low=0, high=255, default="255", default_beside=("unicast_peers",)),
        Key("unicast_fault_no_peer", "flag", since=(2, 2, 5)),
        # Adverts of others than the peers, which anybody can send, are not heard.
        Key("check_unicast_src", "flag", default="true", default_beside=("unicast_peers",)),
        Key("old_unicast_checksum", "flag_or_word"),
        Key("v3_checksum_as_v2", "switch", since=(2, 2, 8)),
        Key("skip_check_adv_addr", "switch"),
        Key("kernel_rx_buf_size", "integer"),
        Key("unicast_peers", "list", "unicast_peer", addresses=True),
        Key("unicast_min_ttl", "integer", "min_ttl", low=0, high=255, behind=("unicast_peers",)),
        Key("unicast_max_ttl", "integer", "max_ttl", low=0, high=255, behind=("unicast_peers",)),
        # Gratuitous ARP and neighbour advertisements
        Key("garp_master_delay", "integer"),
        Key("garp_master_repeat", "integer", low=1),
        Key("garp_master_refresh", "integer"),
        Key("garp_master_refresh_repeat", "integer", low=1),
        Key("garp_lower_prio_delay", "integer"),
        Key("garp_lower_prio_repeat", "integer"),
        Key("garp_extra_if", "words"),
        # What moves
        Key("vips", "list", "virtual_ipaddress", addresses=True),
        Key("vips_excluded", "list", "virtual_ipaddress_excluded", addresses=True),
        Key("no_virtual_ipaddress", "flag", since=(2, 2, 8)),
        Key("virtual_routes", "list"),
        Key("virtual_rules", "list"),
        Key("promote_secondaries", "flag"),
        *_TRACKERS,
        *_NOTIFIERS,
        Key("notify_deleted", "script"),
        Key("notify_master_rx_lower_pri", "script"),
        _run_as(
            *("notify_script", "notify_master", "notify_backup", "notify_fault", "notify_stop"),
            *("notify_deleted", "notify_master_rx_lower_pri"),
        ),
        AUTH_HMAC,
    ),
    one_of=("vips", "no_virtual_ipaddress"),
)

GARP_GROUP = Section(
    "garp_groups",
    "garp_group",
    "list",
    (
        Key("garp_interval", "seconds", high=1),
        Key("gna_interval", "seconds", high=1),
        Key("interface", "word"),
        Key("interfaces", "list"),
    ),
    one_of=("interface", "interfaces"),
)

TRACK_GROUP = Section(
    "track_groups",
    "track_group",
    "named",
    (Key("instances", "list", "group", required=True),),
)

# ---------------------------------------------------------------------------------------------------------------------
# LVS: checkers within real servers within virtual servers
# ---------------------------------------------------------------------------------------------------------------------

_PATIENCE = (
    Key("retry", "integer"),
    Key("delay_before_retry", "seconds"),
    Key("warmup", "seconds"),
    Key("delay_loop", "seconds"),
)

_CHECK = (
    *_PATIENCE,
    Key("alpha", "switch"),
    Key("log_all_failures", "switch"),
)

_CONNECT_TIMEOUT = Key("connect_timeout", "seconds")

_CONNECTION = (
    Key("connect_ip", "address"),
    Key("connect_port", "integer", low=1, high=65535),
    _CONNECT_TIMEOUT,
    Key("bindto", "address"),
    Key("bind_if", "word"),
    Key("bind_port", "integer", low=1, high=65535),
    Key("fwmark", "integer"),
    *_CHECK,
)

_URL = (
    Key("path", "word", required=True),
    Key("digest", "word"),
    Key("status_code", "words"),
    Key("virtualhost", "word"),
    Key("regex", "text"),
    Key("regex_no_match", "flag"),
    Key("regex_options", "words"),
    Key("regex_stack", "words"),
    Key("regex_min_offset", "integer"),
    Key("regex_max_offset", "integer"),
)

# One page may be described in the check itself, and then has these names.
_RENAMED = {"path": "url_path", "digest": "url_digest"}
_ONE_URL = tuple(
    replace(key, name=_RENAMED.get(key.name, key.name), keyword=key.name, block="url", required=False) for key in _URL
)

_GET: tuple[Key | Section, ...] = (
    *_CONNECTION,
    # The older name of retry
    Key("nb_get_retry", "integer", "retry"),
    Key("http_protocol", "word", choices=("1.0", "1.0C", "1.0c", "1.1")),
    Key("fast_recovery", "switch"),
    *_ONE_URL,
    Section("urls", "url", "list", _URL),
)

_CHECKERS: tuple[Section, ...] = (
    Section("tcp_checks", "TCP_CHECK", "list", _CONNECTION),
    Section("http_get", "HTTP_GET", "list", _GET, one_of=("url_path", "urls")),
    Section(
        "ssl_get",
        "SSL_GET",
        "list",
        (*_GET, Key("enable_sni", "flag"), Key("tls_compliant", "flag", since=(2, 2, 8))),
        one_of=("url_path", "urls"),
    ),
    Section("smtp_checks", "SMTP_CHECK", "list", (*_CONNECTION, Key("helo_name", "word"))),
    Section(
        "dns_checks",
        "DNS_CHECK",
        "list",
        (
            *_CONNECTION,
            Key("type", "word", choices=("A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA")),
            Key("name", "word"),
        ),
    ),
    Section(
        "misc_check",
        "MISC_CHECK",
        "list",
        (
            *_CHECK,
            Key("misc_path", "script", required=True),
            Key("misc_timeout", "integer", low=1),
            Key("misc_dynamic", "flag"),
            Key("user", "words"),
        ),
    ),
    Section("ping_checks", "PING_CHECK", "list", _CONNECTION),
    Section(
        "udp_checks",
        "UDP_CHECK",
        "list",
        (
            *_CONNECTION,
            Key("payload", "words"),
            Key("require_reply", "flag_or_word"),
            Key("min_reply_length", "integer", high=65535),
            Key("max_reply_length", "integer", high=65535),
        ),
    ),
    Section(
        "file_checks",
        "FILE_CHECK",
        "list",
        (
            Key("track_file", "word", required=True),
            Key("weight", "weight", low=-(2**31) + 1),
        ),
    ),
    Section("bfd_checks", "BFD_CHECK", "list", (Key("name", "word", required=True),)),
)

_METHODS = ("NAT", "DR", "TUN")

REAL_SERVER = Section(
    "real_servers",
    "real_server",
    "list",
    (
        Key("ip", "address", title=True, required=True),
        Key("port", "integer", title=True, high=65535),
        Key("weight", "integer", high=65535),
        Key("lvs_method", "words", choices=_METHODS),
        Key("uthreshold", "integer"),
        Key("lthreshold", "integer"),
        Key("inhibit_on_failure", "switch"),
        Key("alpha", "switch"),
        _CONNECT_TIMEOUT,
        *_PATIENCE,
        Key("virtualhost", "word"),
        Key("snmp_name", "word"),
        Key("smtp_alert", "switch"),
        Key("notify_up", "script"),
        Key("notify_down", "script"),
        _run_as("notify_up", "notify_down"),
        *_CHECKERS,
    ),
    required=True,
)

_SERVICE: tuple[Key | Section, ...] = (
    # The original's defaults, where keepalived has others.
    Key(
        "lvs_sched",
        "word",
        choices=("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "mh", "sed", "nq", "fo", "ovf", "twos"),
        default="rr",
    ),
    Key("lvs_method", "words", choices=_METHODS, default="DR"),
    # keepalived means UDP when it is not told, and wants no word about it where packets are chosen by a mark.
    Key("protocol", "word", choices=("TCP", "UDP", "SCTP"), default="TCP", default_beside=("ip", "vips")),
    Key("ip_family", "word", choices=("inet", "inet6")),
    # Details of schedulers
    *(Key(name, "flag") for name in ("flag-1", "flag-2", "flag-3", "sh-port", "sh-fallback", "mh-port", "mh-fallback")),
    Key("ops", "flag"),
    Key("persistence_engine", "word"),
    Key("persistence_timeout", "flag_or_word"),
    Key("persistence_granularity", "word"),
    # When it is up, and what happens when it is not
    Key("quorum", "integer", low=1),
    Key("hysteresis", "integer"),
    Key("quorum_up", "script"),
    Key("quorum_down", "script"),
    _run_as("quorum_up", "quorum_down"),
    Key("sorry_server", "words"),
    Key("sorry_server_inhibit", "flag"),
    Key("sorry_server_lvs_method", "words", choices=_METHODS),
    Key("alpha", "flag"),
    Key("omega", "flag"),
    Key("inhibit_on_failure", "flag"),
    Key("ha_suspend", "flag"),
    _CONNECT_TIMEOUT,
    *_PATIENCE,
    Key("virtualhost", "word"),
    Key("snmp_name", "word"),
    Key("smtp_alert", "switch"),
    REAL_SERVER,
)

VIRTUAL_SERVER = Section(
    "virtual_servers",
    "virtual_server",
    "list",
    (
        Key("ip", "address", title=True),
        Key("port", "integer", title=True, high=65535),
        Key("fwmark", "integer", "fwmark", low=1, title=True),
        *_SERVICE,
    ),
    one_of=("ip", "fwmark"),
)

_GROUP_NAME = Key("name", "word", title=True, required=True)

# A group is two blocks: its addresses, and what is served at all of them.
VIRTUAL_SERVER_GROUP = Section(
    "virtual_server_groups",
    "virtual_server_group",
    "list",
    (_GROUP_NAME, Key("vips", "lines", item=("ip", "port")), Key("fwmark", "integer", low=1)),
    partial=True,
)

GROUP_SERVICE = Section(
    "virtual_server_groups",
    "virtual_server group",
    "list",
    (_GROUP_NAME, *_SERVICE),
    also=("vips", "fwmark"),
)

SSL = Section(
    "ssl",
    "SSL",
    "single",
    (
        Key("password", "text", secret=True),
        Key("ca", "text"),
        Key("certificate", "text"),
        Key("key", "text"),
    ),
)

# ---------------------------------------------------------------------------------------------------------------------
# The file
# ---------------------------------------------------------------------------------------------------------------------

FILE = Section(
    "keepalived",
    "",
    "single",
    (
        GLOBAL,
        Key("linkbeat_interfaces", "list"),
        Key("interface_delays", "list", "interface_up_down_delays"),
        GARP_GROUP,
        # What is tracked before who tracks it
        BFD_INSTANCE,
        SCRIPT,
        TRACK_FILE,
        TRACK_PROCESS,
        SYNC_GROUP,
        INSTANCE,
        TRACK_GROUP,
        Key("static_addresses", "list", "static_ipaddress", addresses=True),
        Key("static_routes", "list"),
        Key("static_rules", "list"),
        SSL,
        VIRTUAL_SERVER_GROUP,
        GROUP_SERVICE,
        VIRTUAL_SERVER,
    ),
)
