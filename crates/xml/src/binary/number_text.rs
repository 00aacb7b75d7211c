//! The text form that .NET gives floating-point numbers: the shorter of two precisions that reads back equal.

/// A 32-bit number in 7 significant digits, or 9 when 7 do not read back equal.
pub(super) fn single(value: f32) -> String {
    special(value.into()).unwrap_or_else(|| {
        let short = format!("{value:.6e}");
        if short.parse() == Ok(value) { general(&short, 7) } else { general(&format!("{value:.8e}"), 9) }
    })
}

/// A 64-bit number in 15 significant digits, or 17 when 15 do not read back equal.
pub(super) fn double(value: f64) -> String {
    special(value).unwrap_or_else(|| {
        let short = format!("{value:.14e}");
        if short.parse() == Ok(value) { general(&short, 15) } else { general(&format!("{value:.16e}"), 17) }
    })
}

fn special(value: f64) -> Option<String> {
    let text = if value.is_nan() {
        "NaN"
    } else if value == f64::INFINITY {
        "INF"
    } else if value == f64::NEG_INFINITY {
        "-INF"
    } else if value == 0.0 {
        if value.is_sign_negative() { "-0" } else { "0" }
    } else {
        return None;
    };
    Some(text.to_owned())
}

/// From `d.dddde±x` to positional digits, or to `d.dddE±xx` for exponents below −4 or from `precision` on.
fn general(scientific: &str, precision: i32) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |digits| ("-", digits));
    let digits = mantissa.replace('.', "");
    let digits = digits.trim_end_matches('0');
    if exponent < -4 || exponent >= precision {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let e_sign = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}{point}{rest}E{e_sign}{:02}", exponent.abs());
    }
    if exponent < 0 {
        let zeros = "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0));
        return format!("{sign}0.{zeros}{digits}");
    }
    let whole = usize::try_from(exponent + 1).unwrap_or(0);
    if digits.len() <= whole {
        return format!("{sign}{digits:0<whole$}");
    }
    let (before, after) = digits.split_at(whole);
    format!("{sign}{before}.{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_in_dotnet() {
        for (value, text) in [
            (1.5, "1.5"),
            (f32::MAX, "3.40282347E+38"),
            (1e-45, "1.401298E-45"),
            (-0.001, "-0.001"),
            (1e7, "1E+07"),
            (0.00001, "1E-05"),
            (123456.7, "123456.7"),
        ] {
            assert_eq!(single(value), text);
        }
        for (value, text) in [
            (0.1, "0.1"),
            (1e300, "1E+300"),
            (123_456_789_012.5, "123456789012.5"),
            (1e14, "100000000000000"),
            (1e15, "1E+15"),
            (0.1 + 0.2, "0.30000000000000004"),
            (-0.0, "-0"),
            (f64::NEG_INFINITY, "-INF"),
        ] {
            assert_eq!(double(value), text);
        }
    }
}
