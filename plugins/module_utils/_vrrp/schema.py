# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every key of the ``keepalived_*`` variables: its kind, its bounds, its meaning and the word keepalived has for it.

The model, its error messages and the order of the lines come from these tables, as do docs/keepalived-keys.md and
docs/keepalived.schema.json: a new key is a new row. A table within a table is a block within a block. The last table,
``FILE``, is the whole keepalived.conf, and its keys are the variables without their prefix. Meanings follow
keepalived.conf(5); they may use Markdown's backticks.
"""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import homes, record_of
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.kinds import (
    ADDRESS,
    ADDRESSES,
    AT_LEAST_ONE,
    BLOCK,
    COUNT,
    FLAG,
    FLAG_OR_WORDS,
    SCRIPT,
    SWITCH,
    TEXT,
    WORD,
    WORDS,
    Lines,
    Number,
    Numbered,
    Quoted,
    Unwritten,
    Weight,
    Words,
    number,
    seconds,
    word,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.section import (
    RAW,
    Many,
    Named,
    Row,
    Section,
    section,
)

UINT16 = Number(0, 65535)
TIMES = seconds(high=1000)
SMTP_ALERT = Row("smtp_alert", SWITCH, "Whether changes of state are mailed.")

# ---------------------------------------------------------------------------------------------------------------------
# global_defs
# ---------------------------------------------------------------------------------------------------------------------


def _process(name: str, what: str) -> tuple[Row, ...]:
    """The scheduling of one of keepalived's processes."""
    return (
        Row(f"{name}_priority", Number(-20, 19), f"Nice value of the {what} process."),
        Row(f"{name}_rt_priority", Number(1, 99), f"Realtime priority of the {what} process."),
        Row(
            f"{name}_rlimit_rttime",
            Number(2),
            f"Microseconds that the realtime {what} process may run without a break.",
        ),
        Row(f"{name}_no_swap", FLAG, f"The {what} process is locked in memory."),
        Row(f"{name}_cpu_affinity", WORDS, f"Processors that the {what} process runs on."),
    )


GLOBAL = section(
    "global settings",
    Row("router_id", WORD, "Name of this node in mails and for SNMP; the default is its host name."),
    Row("default_interface", WORD, "Interface of addresses without one."),
    Row(
        "dynamic_interfaces",
        FLAG_OR_WORDS,
        "Interfaces may be missing at the start; with `allow_if_changes` they may also change.",
    ),
    # Mail
    Row("notification_email", BLOCK, "Recipients of mails."),
    Row("notification_email_from", WORD, "Sender of mails."),
    Row("smtp_server", WORDS, "Mail server, and its port."),
    Row("smtp_helo_name", WORD, "Name of this node for the mail server."),
    Row("smtp_connect_timeout", AT_LEAST_ONE, "Seconds to wait for the mail server."),
    Row("smtp_alert", SWITCH, "Default of every `smtp_alert`."),
    Row("smtp_alert_vrrp", SWITCH, "Default of `smtp_alert` of instances and groups."),
    Row("smtp_alert_checker", SWITCH, "Default of `smtp_alert` of virtual and real servers."),
    Row("no_email_faults", FLAG, "The state FAULT sends no mail."),
    Row("no_checker_emails", FLAG, "Checkers send mail only when a quorum is lost or gained."),
    # Scripts and pipes
    Row("script_user", WORDS, "User, and group, that scripts run as."),
    Row("enable_script_security", FLAG, "Scripts run as root only if nobody else can write to their path."),
    Row(
        "use_symlink_paths",
        SWITCH,
        "Whether scripts run under their symbolic links instead of the resolved paths.",
        since="2.3.0",
    ),
    Row("startup_script", SCRIPT, "Runs before keepalived starts."),
    Row("startup_script_timeout", Number(1, 1000), "Seconds that `startup_script` may take."),
    Row("shutdown_script", SCRIPT, "Runs after keepalived has ended."),
    Row("shutdown_script_timeout", Number(1, 1000), "Seconds that `shutdown_script` may take."),
    Row("notify_fifo", WORDS, "Named pipe, and its owner, for all changes of state."),
    Row("notify_fifo_script", SCRIPT, "Reads `notify_fifo`."),
    Row("vrrp_notify_fifo", WORDS, "Named pipe, and its owner, for changes of VRRP state."),
    Row("vrrp_notify_fifo_script", SCRIPT, "Reads `vrrp_notify_fifo`."),
    Row("lvs_notify_fifo", WORDS, "Named pipe, and its owner, for changes of servers."),
    Row("lvs_notify_fifo_script", SCRIPT, "Reads `lvs_notify_fifo`."),
    Row("vrrp_notify_priority_changes", SWITCH, "Whether pipes also get changes of priority."),
    Row("fifo_write_vrrp_states_on_reload", FLAG, "A reload writes all states to the pipes again.", since="2.2.5"),
    # Adverts
    Row("vrrp_version", Number(2, 3), "VRRP version of instances without one."),
    Row("vrrp_mcast_group4", ADDRESS, "Multicast group of IPv4 adverts."),
    Row("vrrp_mcast_group6", ADDRESS, "Multicast group of IPv6 adverts."),
    Row("vrrp_check_unicast_src", FLAG, "Unicast adverts are accepted from peers only."),
    Row("vrrp_skip_check_adv_addr", FLAG, "The addresses in an advert are checked only when its sender changes."),
    Row("vrrp_strict", FLAG, "Features outside RFC 5798 are rejected."),
    Row("vrrp_startup_delay", TIMES, "Seconds before VRRP begins."),
    Row("vrrp_down_timer_adverts", Number(1, 100), "Adverts that a backup may miss before it takes over."),
    Row("vrrp_lower_prio_no_advert", SWITCH, "Whether adverts of a lower priority get no answer."),
    Row("vrrp_higher_prio_send_advert", SWITCH, "Whether a last advert is sent when a higher priority takes over."),
    Row("v3_checksum_as_v2", SWITCH, "Whether VRRPv3 uses the checksum of VRRPv2 for IPv4.", since="2.2.8"),
    Row("log_unknown_vrids", FLAG, "Adverts of unknown router ids are logged."),
    # Gratuitous ARP and neighbour advertisements
    Row("vrrp_garp_master_delay", COUNT, "Seconds until the second set of gratuitous ARP after taking over."),
    Row("vrrp_garp_master_repeat", AT_LEAST_ONE, "Gratuitous ARP messages of one set after taking over."),
    Row("vrrp_garp_master_refresh", COUNT, "Seconds between sets of gratuitous ARP while holding; 0 sends none."),
    Row("vrrp_garp_master_refresh_repeat", AT_LEAST_ONE, "Gratuitous ARP messages of one such set."),
    Row("vrrp_garp_lower_prio_delay", COUNT, "Seconds until the second set after an advert of a lower priority."),
    Row("vrrp_garp_lower_prio_repeat", COUNT, "Gratuitous ARP messages after an advert of a lower priority."),
    Row("vrrp_garp_interval", seconds(high=1), "Pause between gratuitous ARP messages on an interface."),
    Row("vrrp_gna_interval", seconds(high=1), "Pause between neighbour advertisements on an interface."),
    Row(
        "vrrp_garp_extra_if",
        WORDS,
        "Interval of gratuitous ARP on other interfaces; `all` in front includes all interfaces.",
    ),
    Row("vrrp_min_garp", SWITCH, "Whether one message replaces several."),
    # Interfaces that keepalived makes, and the packet filter it keeps for them
    Row("vmac_prefix", WORD, "Prefix of the names of virtual MAC interfaces."),
    Row("vmac_addr_prefix", WORD, "Prefix of the names of virtual MAC interfaces of single addresses."),
    Row("nftables", FLAG_OR_WORDS, "Name of the nftables table of VRRP, if not the default."),
    Row("nftables_ipvs", FLAG_OR_WORDS, "Name of the nftables table of IPVS, if not the default."),
    # The processes
    Row("max_auto_priority", Number(-1, 99), "Highest realtime priority that a late process may set for itself."),
    *_process("vrrp", "VRRP"),
    *_process("checker", "checker"),
    *_process("bfd", "BFD"),
    # Reloads
    Row("reload_check_config", FLAG_OR_WORDS, "A reload checks the text first; the path is the log of the check."),
    Row("reload_file", FLAG_OR_WORDS, "A file that exists while a reload is pending."),
    Row("reload_time_file", WORD, "A file that contains the time of the next reload."),
    # LVS
    Row("lvs_sync_daemon", WORDS, "Interface, instance and options of the synchronisation of IPVS connections."),
    Row("lvs_timeouts", WORDS, "Timeouts of IPVS, such as `tcp 900 tcpfin 120 udp 300`."),
    Row("lvs_flush", FLAG, "IPVS is flushed at the start."),
    Row("lvs_flush_on_stop", FLAG_OR_WORDS, "IPVS is flushed at the end; `VS` removes only the virtual servers."),
    Row("checker_log_all_failures", SWITCH, "Whether each failed check is logged."),
    Row("rs_init_notifies", FLAG, "Real servers also notify about their first state."),
    # Management
    Row("enable_traps", FLAG, "SNMP traps are sent."),
    Row("enable_snmp_vrrp", FLAG, "SNMP reports VRRP."),
    Row("enable_snmp_checker", FLAG, "SNMP reports checkers."),
    Row("snmp_socket", WORD, "Address of the SNMP master agent."),
    Row("enable_dbus", FLAG, "D-Bus reports VRRP."),
)

# ---------------------------------------------------------------------------------------------------------------------
# Trackers
# ---------------------------------------------------------------------------------------------------------------------

TRACKED_WEIGHT = "Number added to the priority; with 0, a failure puts the instance in FAULT."

BFD_INSTANCE = section(
    "a BFD instance",
    Row("neighbor_ip", ADDRESS, "Address of the neighbour.", required=True),
    Row("source_ip", ADDRESS, "Own address."),
    # Milliseconds
    Row("min_rx", number(1, 1000), "Shortest interval in milliseconds at which packets are received."),
    Row("min_tx", number(1, 1000), "Shortest interval in milliseconds at which packets are sent."),
    Row("idle_tx", number(1000, 10000), "Interval in milliseconds while the session is down."),
    Row("multiplier", Number(1, 255), "Packets that may be lost before the session is down."),
    Row("passive", FLAG, "The neighbour starts the session."),
    Row("ttl", Number(1, 255), "Hop limit of packets in IPv4."),
    Row("hoplimit", Number(1, 255), "Hop limit of packets in IPv6."),
    Row("max_hops", Number(0, 255), "Hops that a packet may have passed."),
    Row("multihop", SWITCH, "Whether the neighbour is behind routers.", since="2.2.8"),
    Row("weight", Weight(-253, 253), TRACKED_WEIGHT),
    Row("vrrp", FLAG, "VRRP tracks the session."),
    Row("checker", FLAG, "Checkers track the session."),
)

# Keys of every kind of tracker.
_ROLE = (
    Row("instance", Unwritten(), "The instance that tracks it, by the role; without it, all of them."),
    Row("soft", Unwritten(), "Whether the role sets a weight that only ranks a node behind the others."),
)

TRACK_SCRIPT = section(
    "a script",
    Row("check_script", SCRIPT, "Command whose exit code is the result of the check.", keyword="script", required=True),
    Row("interval", seconds(0.001, 86400), "Seconds between two runs.", fractions_since="2.3.2"),
    Row("timeout", seconds(0.001, 86400), "Seconds that a run may take.", fractions_since="2.3.2"),
    Row("fall", AT_LEAST_ONE, "Consecutive failures until the check counts as failed."),
    Row("rise", AT_LEAST_ONE, "Consecutive successes until the check counts as passed."),
    Row("weight", Weight(-253, 253), TRACKED_WEIGHT),
    Row("user", WORDS, "User, and group, that it runs as."),
    Row("init_fail", FLAG, "The check counts as failed until its first run."),
    *_ROLE,
)

TRACK_FILE = section(
    "a file to track",
    Row("file", TEXT, "Path of the file; the number in it, times the weight, is added to the priority.", required=True),
    Row("weight", Weight(-254, 254), TRACKED_WEIGHT),
    Row(
        "init_file",
        FLAG_OR_WORDS,
        "keepalived creates the file at its start with this number; `overwrite` replaces an existing one.",
    ),
    *_ROLE,
)

TRACK_PROCESS = section(
    "a process to track",
    Row("process", WORDS, "Name of the program, and its arguments.", required=True),
    Row("param_match", word("initial", "partial"), "How its arguments are compared; by default, all must match."),
    Row("weight", Weight(-254, 254), TRACKED_WEIGHT),
    Row("quorum", Number(1, 65535), "Minimum number of processes."),
    Row("quorum_max", UINT16, "Maximum number of processes."),
    Row("fork_delay", seconds(high=3600), "Seconds until a new process counts."),
    Row("terminate_delay", seconds(high=3600), "Seconds until the end of a process counts."),
    Row("delay", seconds(high=3600), "Both delays."),
    Row("full_command", FLAG, "The whole command line is compared."),
    *_ROLE,
)

_TRACKERS = (
    Row("track_interfaces", BLOCK, "Interfaces, each with an optional `weight NUMBER`.", keyword="track_interface"),
    Row(
        "track_scripts",
        BLOCK,
        "Names of `keepalived_scripts`, each with an optional `weight NUMBER`.",
        keyword="track_script",
    ),
    Row(
        "track_files",
        BLOCK,
        "Names of `keepalived_track_files`, each with an optional `weight NUMBER`.",
        keyword="track_file",
    ),
    Row(
        "track_processs",
        BLOCK,
        "Names of `keepalived_track_processs`, each with an optional `weight NUMBER`.",
        keyword="track_process",
    ),
    Row(
        "track_bfds",
        BLOCK,
        "Names of `keepalived_bfd_instances`, each with an optional `weight NUMBER`.",
        keyword="track_bfd",
    ),
)

# ---------------------------------------------------------------------------------------------------------------------
# VRRP
# ---------------------------------------------------------------------------------------------------------------------

_NOTIFIERS = (
    Row("notify_script", SCRIPT, "Runs on every change of state, with the change as arguments.", keyword="notify"),
    Row("notify_master", SCRIPT, "Runs when the state becomes MASTER."),
    Row("notify_backup", SCRIPT, "Runs when the state becomes BACKUP."),
    Row("notify_fault", SCRIPT, "Runs when the state becomes FAULT."),
    Row("notify_stop", SCRIPT, "Runs when keepalived stops."),
    Row("notify_priority_changes", SWITCH, "Whether scripts and pipes also get changes of priority."),
    SMTP_ALERT,
)


def _run_as(*scripts: str) -> Row:
    """The user, and perhaps the group, that runs these scripts instead of ``script_user``."""
    return Row("notify_user", WORDS, "User, and group, that the notify scripts beside it run as.", behind=scripts)


SYNC_GROUP = section(
    "a sync group",
    Row("instances", BLOCK, "Names of the instances that change together.", keyword="group", required=True),
    *_TRACKERS,
    *_NOTIFIERS,
    _run_as("notify_script", "notify_master", "notify_backup", "notify_fault", "notify_stop"),
    Row("sync_group_tracking_weight", FLAG, "The weights of trackers of any instance count for all of them."),
)

AUTH_HMAC = section(
    "an authentication by HMAC",
    # By number: 32 to 64 bytes as text, hex:… or file:PATH
    Row(
        "key",
        Numbered(Number(1, 255)),
        "Keys by number: 32 to 64 bytes as text, `hex:…` or `file:PATH`.",
        required=True,
        secret=True,
    ),
    Row("active_key", Number(1, 255), "Number of the key that own adverts are signed with.", required=True),
    Row("anti_replay", word("time", "monotonic"), "How replayed adverts are detected."),
    Row("time_window", Number(1, 300), "Maximum age of an advert in seconds."),
    Row("mode", word("enforce", "permissive"), "Whether adverts without a signature are rejected."),
)

INSTANCE = section(
    "an instance",
    Row("interface", WORD, "Interface that adverts are sent on.", required=True),
    Row("state", word("MASTER", "BACKUP"), "State at the start.", required=True),
    Row("virtual_router_id", Number(1, 255), "Router id, the same on all nodes of the instance.", required=True),
    Row("priority", Number(1, 255), "The highest of all nodes holds the addresses; 255 owns them.", required=True),
    Row("version", Number(2, 3), "Version of VRRP."),
    Row("advert_int", seconds(0.01, 255), "Seconds between two adverts, the same on all nodes."),
    Row("down_timer_adverts", Number(1, 100), "Adverts that a backup may miss before it takes over."),
    # A virtual MAC address
    Row("use_vmac", FLAG_OR_WORDS, "The addresses move with a virtual MAC; the value is the name of its interface."),
    Row("use_vmac_addr", FLAG, "Addresses on other interfaces have a virtual MAC too."),
    Row("vmac_xmit_base", FLAG, "Adverts are sent on the interface itself, not on that of the virtual MAC."),
    Row("use_ipvlan", FLAG_OR_WORDS, "The addresses are on an ipvlan; the value is its name, address and mode."),
    # Takeover
    Row("nopreempt", FLAG, "A node with a higher priority does not take over from one that works."),
    Row("preempt_delay", TIMES, "Seconds before a node with a higher priority takes over."),
    Row(
        "timer_expired_backup",
        FLAG_OR_WORDS,
        "Milliseconds that a node without adverts waits as backup first.",
        since="2.2.8",
    ),
    # Without it each advert that a holder hears, also one that it refuses, puts its own off by an interval: whoever
    # sends often enough silences it, and the next node takes over beside it.
    Row(
        "lower_prio_no_advert",
        SWITCH,
        "Whether adverts of a lower priority get no answer.",
        True,
        default_beside=("unicast_peers",),
    ),
    Row("higher_prio_send_advert", SWITCH, "Whether a last advert is sent when a higher priority takes over."),
    Row("dont_track_primary", FLAG, "The instance keeps running when its interface is down."),
    Row("accept", FLAG, "A holder that does not own the addresses accepts packets to them."),
    Row("no_accept", FLAG, "A holder that does not own the addresses accepts no packets to them."),
    Row("native_ipv6", FLAG, "The instance is for IPv6, even if its first address is not."),
    Row("strict_mode", SWITCH, "Whether features outside RFC 5798 are rejected."),
    # Addresses of adverts
    Row(
        "authentication_type",
        word("PASS", "AH"),
        "Kind of authentication, in VRRPv2 only.",
        keyword="auth_type",
        block="authentication",
    ),
    Row(
        "authentication_password",
        Quoted(longest=8),
        "Password, in VRRPv2 only.",
        keyword="auth_pass",
        block="authentication",
        secret=True,
    ),
    Row("mcast_src_ip", ADDRESS, "Source address of multicast adverts."),
    Row("mcast_dst_ip", ADDRESS, "Multicast group of adverts."),
    Row("unicast_src_ip", ADDRESS, "Source address of unicast adverts."),
    Row("track_src_ip", FLAG, "A missing source address is a fault."),
    # keepalived's own default in IPv4; in IPv6 it would be the kernel's.
    Row("unicast_ttl", Number(0, 255), "Hop limit of unicast adverts.", 255, default_beside=("unicast_peers",)),
    Row("unicast_fault_no_peer", FLAG, "It is a fault when no peer is reachable.", since="2.2.5"),
    # Only adverts of peers are accepted: anybody can send others.
    Row(
        "check_unicast_src",
        FLAG,
        "Unicast adverts are accepted from peers only.",
        True,
        default_beside=("unicast_peers",),
    ),
    Row(
        "old_unicast_checksum",
        FLAG_OR_WORDS,
        "Whether the checksum is that of keepalived before 1.3.7; `never` disables it.",
    ),
    Row("v3_checksum_as_v2", SWITCH, "Whether VRRPv3 uses the checksum of VRRPv2 for IPv4.", since="2.2.8"),
    Row("skip_check_adv_addr", SWITCH, "Whether the addresses in an advert are checked only when its sender changes."),
    Row("kernel_rx_buf_size", COUNT, "Size of the receive buffer for adverts in bytes."),
    Row("unicast_peers", ADDRESSES, "Addresses of the other nodes, to which adverts are sent.", keyword="unicast_peer"),
    Row(
        "unicast_min_ttl",
        Number(0, 255),
        "Minimum hop limit of adverts from every peer.",
        keyword="min_ttl",
        behind=("unicast_peers",),
    ),
    Row(
        "unicast_max_ttl",
        Number(0, 255),
        "Maximum hop limit of adverts from every peer.",
        keyword="max_ttl",
        behind=("unicast_peers",),
    ),
    # Gratuitous ARP and neighbour advertisements
    Row("garp_master_delay", COUNT, "Seconds until the second set of gratuitous ARP after taking over."),
    Row("garp_master_repeat", AT_LEAST_ONE, "Gratuitous ARP messages of one set after taking over."),
    Row("garp_master_refresh", COUNT, "Seconds between sets of gratuitous ARP while holding; 0 sends none."),
    Row("garp_master_refresh_repeat", AT_LEAST_ONE, "Gratuitous ARP messages of one such set."),
    Row("garp_lower_prio_delay", COUNT, "Seconds until the second set after an advert of a lower priority."),
    Row("garp_lower_prio_repeat", COUNT, "Gratuitous ARP messages after an advert of a lower priority."),
    Row(
        "garp_extra_if",
        WORDS,
        "Interval of gratuitous ARP on other interfaces; `all` in front includes all interfaces.",
    ),
    # Addresses and routes that move
    Row("vips", ADDRESSES, "Addresses that move, as `ip address add` takes them.", keyword="virtual_ipaddress"),
    Row(
        "vips_excluded",
        ADDRESSES,
        "Addresses that move but are not in adverts, such as those of the other family.",
        keyword="virtual_ipaddress_excluded",
    ),
    Row("no_virtual_ipaddress", FLAG, "The instance has no addresses on purpose.", since="2.2.8"),
    Row("virtual_routes", BLOCK, "Routes that move, as `ip route add` takes them."),
    Row("virtual_rules", BLOCK, "Routing rules that move, as `ip rule add` takes them."),
    Row("promote_secondaries", FLAG, "The next address of an interface stays when the first one is removed."),
    *_TRACKERS,
    *_NOTIFIERS,
    Row("notify_deleted", SCRIPT, "Runs when a reload removes the instance."),
    Row("notify_master_rx_lower_pri", SCRIPT, "Runs when a holder hears an advert of a lower priority."),
    _run_as(
        *("notify_script", "notify_master", "notify_backup", "notify_fault", "notify_stop"),
        *("notify_deleted", "notify_master_rx_lower_pri"),
    ),
    Row("auth_hmac", AUTH_HMAC, "Authentication by HMAC.", since="2.4.0"),
    one_of=("vips", "no_virtual_ipaddress"),
)

GARP_GROUP = section(
    "a group of interfaces",
    Row("garp_interval", seconds(high=1), "Pause between gratuitous ARP messages."),
    Row("gna_interval", seconds(high=1), "Pause between neighbour advertisements."),
    Row("interface", WORD, "The interface, for a group of one."),
    Row("interfaces", BLOCK, "The interfaces that share the pause."),
    one_of=("interface", "interfaces"),
)

TRACK_GROUP = section(
    "a track group",
    Row("instances", BLOCK, "Names of the instances that share their trackers.", keyword="group", required=True),
)

# ---------------------------------------------------------------------------------------------------------------------
# LVS: checkers within real servers within virtual servers
# ---------------------------------------------------------------------------------------------------------------------

_PATIENCE = (
    Row("retry", COUNT, "Number of repeated checks before a server counts as down."),
    Row("delay_before_retry", seconds(), "Seconds before such a check."),
    Row("warmup", seconds(), "Longest random delay of the first check, in seconds."),
    Row("delay_loop", seconds(), "Seconds between two checks."),
)

_CHECK = (
    *_PATIENCE,
    Row("alpha", SWITCH, "Whether the server counts as down until its first check."),
    Row("log_all_failures", SWITCH, "Whether each failed check is logged."),
)

_CONNECT_TIMEOUT = Row("connect_timeout", seconds(), "Seconds to wait for a connection.")

_CONNECTION = (
    Row("connect_ip", ADDRESS, "Address to check; by default that of the real server."),
    Row("connect_port", Number(1, 65535), "Port to check; by default that of the real server."),
    _CONNECT_TIMEOUT,
    Row("bindto", ADDRESS, "Source address of checks."),
    Row("bind_if", WORD, "Source interface of checks."),
    Row("bind_port", Number(1, 65535), "Source port of checks."),
    Row("fwmark", COUNT, "Mark of the packets of checks."),
    *_CHECK,
)

_URL = (
    Row("path", WORD, "Path of the page.", required=True),
    Row("digest", WORD, "MD5 of the page, as genhash shows it."),
    Row("status_code", WORDS, "Expected status codes, such as `200-299 401`."),
    Row("virtualhost", WORD, "Name in the `Host` header."),
    Row("regex", TEXT, "Regular expression that must match the page."),
    Row("regex_no_match", FLAG, "The expression must not match."),
    Row("regex_options", WORDS, "Options of PCRE2, such as `caseless multiline`."),
    Row("regex_stack", WORDS, "Initial and maximum stack size of PCRE2."),
    Row("regex_min_offset", COUNT, "Byte of the response at which the search starts."),
    Row("regex_max_offset", COUNT, "Byte of the response at which the search ends."),
)

# One page may be described in the check itself, and then has these names.
_RENAMED = {"path": "url_path", "digest": "url_digest"}
_ONE_URL = tuple(
    replace(key, name=_RENAMED.get(key.name, key.name), keyword=key.name, block="url", required=False) for key in _URL
)

_GET = (
    *_CONNECTION,
    Row("nb_get_retry", COUNT, "The older name of `retry`.", keyword="retry"),
    Row("http_protocol", word("1.0", "1.0C", "1.0c", "1.1"), "Version of HTTP; `C` closes the connection."),
    Row("fast_recovery", SWITCH, "Whether the first successful page is enough for a server to be up."),
    *_ONE_URL,
    Row("urls", Many(section("a page", *_URL)), "Pages, all of which must pass.", keyword="url"),
)

TCP_CHECK = section("a check by TCP", *_CONNECTION)
HTTP_GET = section("a check by HTTP", *_GET, one_of=("url_path", "urls"))
SSL_GET = section(
    "a check by HTTPS",
    *_GET,
    Row("enable_sni", FLAG, "The host name is sent in the TLS handshake."),
    Row("tls_compliant", FLAG, "A connection that closes without a TLS shutdown is a failure.", since="2.2.8"),
    one_of=("url_path", "urls"),
)
SMTP_CHECK = section("a check by SMTP", *_CONNECTION, Row("helo_name", WORD, "Name of this node in the greeting."))
DNS_CHECK = section(
    "a check by DNS",
    *_CONNECTION,
    Row("type", word("A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA"), "Type of the record."),
    Row("name", WORD, "Name to look up."),
)
MISC_CHECK = section(
    "a check by a command",
    *_CHECK,
    Row("misc_path", SCRIPT, "Command whose exit code is the result of the check.", required=True),
    Row("misc_timeout", AT_LEAST_ONE, "Maximum time in seconds."),
    Row("misc_dynamic", FLAG, "Exit codes from 2 on are the weight of the server plus 2."),
    Row("user", WORDS, "User, and group, that it runs as."),
)
PING_CHECK = section("a check by ping", *_CONNECTION)
UDP_CHECK = section(
    "a check by UDP",
    *_CONNECTION,
    Row("payload", WORDS, "Bytes to send, in hexadecimal."),
    Row("require_reply", FLAG_OR_WORDS, "An answer with these bytes, in hexadecimal, is required."),
    Row("min_reply_length", UINT16, "Minimum number of bytes of the answer."),
    Row("max_reply_length", UINT16, "Maximum number of bytes of the answer."),
)
FILE_CHECK = section(
    "a check by a file",
    Row("track_file", WORD, "Name of `keepalived_track_files`.", required=True),
    Row("weight", Weight(-(2**31) + 1), "Factor for the number in the file, which gives the weight of the server."),
)
BFD_CHECK = section("a check by BFD", Row("name", WORD, "Name of `keepalived_bfd_instances`.", required=True))

_CHECKERS = (
    Row("tcp_checks", Many(TCP_CHECK), "Checks by a TCP connection.", keyword="TCP_CHECK"),
    Row("http_get", Many(HTTP_GET), "Checks by pages over HTTP.", keyword="HTTP_GET"),
    Row("ssl_get", Many(SSL_GET), "Checks by pages over HTTPS.", keyword="SSL_GET"),
    Row("smtp_checks", Many(SMTP_CHECK), "Checks by the greeting of a mail server.", keyword="SMTP_CHECK"),
    Row("dns_checks", Many(DNS_CHECK), "Checks by a DNS query.", keyword="DNS_CHECK"),
    Row("misc_check", Many(MISC_CHECK), "Checks by a command.", keyword="MISC_CHECK"),
    Row("ping_checks", Many(PING_CHECK), "Checks by an ICMP echo.", keyword="PING_CHECK"),
    Row("udp_checks", Many(UDP_CHECK), "Checks by a UDP packet.", keyword="UDP_CHECK"),
    Row("file_checks", Many(FILE_CHECK), "Weights by a file.", keyword="FILE_CHECK"),
    Row("bfd_checks", Many(BFD_CHECK), "Checks by a BFD session.", keyword="BFD_CHECK"),
)

METHOD = Words(("NAT", "DR", "TUN"))

REAL_SERVER = section(
    "a real server",
    Row("ip", ADDRESS, "Its address.", title=True, required=True),
    Row("port", UINT16, "Its port.", title=True),
    Row("weight", UINT16, "Share of the connections relative to the other servers."),
    Row("lvs_method", METHOD, "Forwarding method, if it differs from the virtual server's."),
    Row("uthreshold", COUNT, "Number of connections above which it gets no new ones."),
    Row("lthreshold", COUNT, "Number of connections below which it gets new ones again."),
    Row("inhibit_on_failure", SWITCH, "Whether it keeps its connections, with weight 0, when it is down."),
    Row("alpha", SWITCH, "Whether it counts as down until its first check."),
    _CONNECT_TIMEOUT,
    *_PATIENCE,
    Row("virtualhost", WORD, "Default host name of checks."),
    Row("snmp_name", WORD, "Name for SNMP."),
    SMTP_ALERT,
    Row("notify_up", SCRIPT, "Runs when the server comes up."),
    Row("notify_down", SCRIPT, "Runs when the server goes down."),
    _run_as("notify_up", "notify_down"),
    *_CHECKERS,
)

_SERVICE = (
    # The original's defaults, where keepalived has others.
    Row(
        "lvs_sched",
        word("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "mh", "sed", "nq", "fo", "ovf", "twos"),
        "Scheduler, which selects a server.",
        "rr",
    ),
    Row("lvs_method", METHOD, "Forwarding method to the servers.", "DR"),
    # keepalived defaults to UDP, and accepts no protocol with a firewall mark.
    Row("protocol", word("TCP", "UDP", "SCTP"), "Protocol.", "TCP", default_beside=("ip", "vips")),
    Row("ip_family", word("inet", "inet6"), "Address family, if a firewall mark selects packets."),
    # Details of schedulers
    *(Row(name, FLAG, f"Option {name[-1]} of the scheduler.") for name in ("flag-1", "flag-2", "flag-3")),
    Row("sh-port", FLAG, "The scheduler `sh` also hashes ports."),
    Row("sh-fallback", FLAG, "The scheduler `sh` uses another server if the selected one is down."),
    Row("mh-port", FLAG, "The scheduler `mh` also hashes ports."),
    Row("mh-fallback", FLAG, "The scheduler `mh` uses another server if the selected one is down."),
    Row("ops", FLAG, "Each UDP packet is a connection."),
    Row("persistence_engine", WORD, "Persistence engine; `sip` is the only one."),
    Row("persistence_timeout", FLAG_OR_WORDS, "Seconds for which a client keeps its server."),
    Row("persistence_granularity", WORD, "Netmask, or prefix length for IPv6, of addresses that count as one client."),
    # Availability
    Row("quorum", AT_LEAST_ONE, "Total weight of working servers that the virtual server needs to be up."),
    Row("hysteresis", COUNT, "Margin below the quorum before it is lost, and above it before it is regained."),
    Row("quorum_up", SCRIPT, "Runs when the quorum is gained."),
    Row("quorum_down", SCRIPT, "Runs when the quorum is lost."),
    _run_as("quorum_up", "quorum_down"),
    Row("sorry_server", WORDS, "Address and port of the server that takes connections when all others are down."),
    Row("sorry_server_inhibit", FLAG, "`inhibit_on_failure` for the sorry server."),
    Row("sorry_server_lvs_method", METHOD, "Forwarding method to the sorry server."),
    Row("alpha", FLAG, "Servers count as down until their first check."),
    Row("omega", FLAG, "Servers removed at shutdown run their `notify_down`."),
    Row("inhibit_on_failure", FLAG, "Servers keep their connections, with weight 0, when they are down."),
    Row("ha_suspend", FLAG, "Only the node that holds the address checks the servers."),
    _CONNECT_TIMEOUT,
    *_PATIENCE,
    Row("virtualhost", WORD, "Default host name of checks."),
    Row("snmp_name", WORD, "Name for SNMP."),
    SMTP_ALERT,
    Row("real_servers", Many(REAL_SERVER), "The servers.", keyword="real_server", required=True),
)

VIRTUAL_SERVER = section(
    "a virtual server",
    Row("ip", ADDRESS, "Its address.", title=True),
    Row("port", UINT16, "Its port.", title=True),
    Row("fwmark", AT_LEAST_ONE, "Firewall mark of the packets, instead of an address.", keyword="fwmark", title=True),
    *_SERVICE,
    one_of=("ip", "fwmark"),
)

GROUP_ADDRESS = Section(
    (Row("ip", WORD, "Address, or a range such as `192.0.2.60-62`."), Row("port", WORD, "Port.")),
    "an address of a group",
)
_GROUP_NAME = Row("name", WORD, "Name of the group.", title=True, required=True)
_GROUP = (
    _GROUP_NAME,
    Row("vips", Lines(item=GROUP_ADDRESS, has_block=False), "Addresses and ports."),
    Row("fwmark", AT_LEAST_ONE, "Firewall mark of the packets."),
)

# A group is two blocks: its addresses, and the service at all of them.
VIRTUAL_SERVER_GROUP = section("a group of virtual servers", *_GROUP, *_SERVICE)
VIRTUAL_SERVER_GROUP = replace(
    VIRTUAL_SERVER_GROUP,
    blocks=(("virtual_server_group", _GROUP), ("virtual_server group", (_GROUP_NAME, *_SERVICE, RAW))),
)

SSL = section(
    "settings of TLS",
    Row("password", TEXT, "Passphrase of the key.", secret=True),
    Row("ca", TEXT, "Path of the CA certificates that verify servers."),
    Row("certificate", TEXT, "Path of the client certificate."),
    Row("key", TEXT, "Path of its key."),
)

# ---------------------------------------------------------------------------------------------------------------------
# The file
# ---------------------------------------------------------------------------------------------------------------------

FILE = section(
    "a variable of keepalived",
    Row("global_settings", GLOBAL, "Settings of the whole file.", keyword="global_defs"),
    Row("linkbeat_interfaces", BLOCK, "Interfaces whose link is polled, each with an optional polling method."),
    Row(
        "interface_delays",
        BLOCK,
        "Interfaces with the delays in seconds before a link counts as down, and as up.",
        keyword="interface_up_down_delays",
    ),
    Row("garp_groups", Many(GARP_GROUP), "Interfaces that share the pauses of gratuitous ARP.", keyword="garp_group"),
    # Trackers before the blocks that use them
    Row("bfd_instances", Named(BFD_INSTANCE), "BFD sessions by name.", keyword="bfd_instance"),
    Row("scripts", Named(TRACK_SCRIPT), "Check scripts by name.", keyword="vrrp_script"),
    Row("track_files", Named(TRACK_FILE), "Files to track by name.", keyword="track_file"),
    Row("track_processs", Named(TRACK_PROCESS), "Processes to track by name.", keyword="vrrp_track_process"),
    Row("sync_groups", Named(SYNC_GROUP), "Sync groups by name.", keyword="vrrp_sync_group"),
    Row("instances", Named(INSTANCE), "Instances by name.", keyword="vrrp_instance"),
    Row("track_groups", Named(TRACK_GROUP), "Track groups by name.", keyword="track_group"),
    Row("static_addresses", ADDRESSES, "Addresses that keepalived keeps on this node.", keyword="static_ipaddress"),
    Row("static_routes", BLOCK, "Routes that keepalived keeps."),
    Row("static_rules", BLOCK, "Routing rules that keepalived keeps."),
    Row("ssl", SSL, "TLS settings of HTTPS checks.", keyword="SSL"),
    Row("virtual_server_groups", Many(VIRTUAL_SERVER_GROUP), "Virtual servers at several addresses."),
    Row("virtual_servers", Many(VIRTUAL_SERVER), "Virtual servers.", keyword="virtual_server"),
    prefix="keepalived_",
)

_TABLES = {f"{FILE.prefix}{row.name}": record_of(row.kind) for row in FILE.keys}
#: hints for misplaced keys
HOMES = homes({variable: table for variable, table in _TABLES.items() if table})
