//! What an address of a server tells: its host, and whether that is near. Pure.

use std::net::IpAddr;

use reqwest::Url;

/// Names of machines in the own network.
const LOCAL_NAMES: [&str; 6] =
    [".local", ".localhost", ".lan", ".internal", ".intranet", ".home.arpa"];

/// Whether an address is on this machine or in its own network.
pub fn is_local(url: &str) -> bool {
    let Some(host) = host(url) else { return false };
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => {
            let mapped = ip.to_ipv4_mapped();
            ip.is_loopback()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || mapped.is_some_and(|ip| ip.is_loopback() || ip.is_private())
        }
        Err(_) => !host.contains('.') || LOCAL_NAMES.iter().any(|name| host.ends_with(name)),
    }
}

/// The host of an address, in small letters.
pub(super) fn host(url: &str) -> Option<String> {
    let url = Url::parse(url.trim()).ok()?;
    Some(url.host_str()?.trim_end_matches('.').to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_local_or_not() {
        for (url, local) in [
            ("http://localhost:11434/v1", true),
            ("http://127.0.0.1:8080/v1/", true),
            ("http://[::1]:8080/v1", true),
            ("http://[fd00::1]/v1", true),
            ("http://[fe80::1]/v1", true),
            ("http://[::ffff:192.168.0.2]/v1", true),
            ("http://10.1.2.3/v1", true),
            ("http://172.20.0.1/v1", true),
            ("http://192.168.1.5:5000/v1", true),
            ("http://169.254.1.1/v1", true),
            ("http://ollama:11434/v1", true),
            ("http://box.local/v1", true),
            ("http://BOX.LAN./v1", true),
            ("http://172.32.0.1/v1", false),
            ("https://8.8.8.8/v1", false),
            ("https://[2606:4700::1111]/v1", false),
            ("https://openrouter.ai/api/v1", false),
            ("https://api.openai.com/v1", false),
            ("https://notlocal/v1.example.com", true),
            ("nonsense", false),
        ] {
            assert_eq!(is_local(url), local, "{url}");
        }
    }
}
