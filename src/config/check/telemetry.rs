use reqwest::header::{HeaderName, HeaderValue};
use url::Url;

use crate::config::{
    Secret, TelemetrySettings,
    problem::Mistake,
    reader::{Checked, Reader},
    urls,
};

const PATH: &str = "/v1/traces";

pub(super) fn section(reader: &mut Reader<'_>) -> Checked<TelemetrySettings> {
    const HEADERS: &str = "telemetry.otlp_headers";
    let otlp_endpoint = reader.secret("telemetry.otlp_endpoint", endpoint);
    // Through `secret` first: a variable that was not filled in must not pass for one that was not set.
    let given = reader.secret(HEADERS, |_| Ok(()));
    let otlp_headers = reader.list(HEADERS, header);
    let sampling_ratio = reader.required("telemetry.sampling_ratio", ratio);
    if let (Ok(Some(endpoint)), Ok(Some(()))) = (&otlp_endpoint, &given)
        && urls::is_plain_and_remote(endpoint.expose())
    {
        reader.warn("telemetry.otlp_endpoint is plain http: whoever is on the path reads its headers");
    }
    given?;
    Ok(TelemetrySettings {
        otlp_endpoint: otlp_endpoint?,
        otlp_headers: otlp_headers?,
        sampling_ratio: sampling_ratio?,
    })
}

fn endpoint(text: &str) -> Result<Secret, Mistake> {
    const EXAMPLE: &str = "http://collector:4318";
    let url =
        Url::parse(text.trim()).map_err(|_| Mistake::new("is not a URL", format!("write {EXAMPLE}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(Mistake::new("is neither https:// nor http://", format!("write {EXAMPLE}")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Mistake::new(
            "holds a user or a password",
            "write them into telemetry.otlp_headers: authorization=Basic …",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Mistake::new("has a query or a fragment", format!("write {EXAMPLE}")));
    }
    let base = url.as_str().trim_end_matches('/');
    let whole = if base.ends_with(PATH) { base.to_owned() } else { format!("{base}{PATH}") };
    Ok(Secret::from(whole))
}

/// The same as in `OTEL_EXPORTER_OTLP_HEADERS`, where values are percent-encoded.
fn header(text: &str) -> Result<(String, Secret), Mistake> {
    let wrong = || Mistake::new("holds what is no header", "write name=value, as in authorization=Bearer …");
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| wrong())?;
    let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8().map_err(|_| wrong())?;
    HeaderValue::from_str(&value).map_err(|_| wrong())?;
    Ok((name.to_string(), Secret::from(value.into_owned())))
}

fn ratio(text: &str) -> Result<f64, Mistake> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| Mistake::new(format!("{text:?} is not a share"), "write a number from 0 to 1: 0.1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_ends_where_traces_are_posted() {
        for (text, whole) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("https://otlp.example.com/", "https://otlp.example.com/v1/traces"),
            ("https://h/otlp/v1/traces", "https://h/otlp/v1/traces"),
        ] {
            assert_eq!(endpoint(text).unwrap().expose(), whole);
        }
        for bad in ["collector:4318", "grpc://h:4317", "https://u:hush@h", "https://h/?token=hush", ""] {
            assert!(!format!("{:?}", endpoint(bad).unwrap_err()).contains("hush"), "{bad}");
        }
    }

    #[test]
    fn a_header_is_a_name_and_a_value() {
        let (name, value) = header("Authorization=Basic%20aHVzaA==").unwrap();
        assert_eq!((name.as_str(), value.expose()), ("authorization", "Basic aHVzaA=="));
        for bad in ["hush", "=hush", "a b=hush", "a=hush%0d%0ab: c"] {
            assert!(!format!("{:?}", header(bad).unwrap_err()).contains("hush"), "{bad}");
        }
    }

    #[test]
    fn a_share_is_between_none_and_all() {
        assert!(ratio("0").is_ok() && ratio("0.25").is_ok() && ratio("1").is_ok());
        assert!(ratio("1.1").is_err() && ratio("-0.1").is_err() && ratio("NaN").is_err());
    }
}
