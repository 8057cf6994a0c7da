//! Parks around a point, and how full they are (ETCP 8.9, 8.10). Positions are Baidu's.

use super::stays::{Stay, Tariff};
use super::{Call, Done};
use crate::beijing;
use crate::json::{self, Members};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Parks on a page.
const PAGE: usize = 10;

/// A park.
pub struct Park {
    /// Its number in records and pushes.
    pub number: i64,
    pub name: String,
    lat: f64,
    lon: f64,
    city: String,
    total: i64,
    /// Spaces taken by cars that are no stays here.
    taken: i64,
    is_electronic: bool,
    is_third_party: bool,
    kind: String,
    pub tariff: Tariff,
}

/// All parks.
pub struct Parks(Vec<Park>);

const HOURLY: Tariff = Tariff { free_minutes: 15, unit_fen: 200, unit_minutes: 60, exit_minutes: 15 };

impl Default for Parks {
    fn default() -> Self {
        let park = |number, name: &str, lat, lon, city: &str, total, taken, is_electronic, is_third_party| Park {
            number,
            name: name.to_owned(),
            lat,
            lon,
            city: city.to_owned(),
            total,
            taken,
            is_electronic,
            is_third_party,
            kind: "8".into(),
            tariff: HOURLY,
        };
        Parks(vec![
            park(3126, "ETCP停车场", 39.872_748, 116.429_718, "北京市", 114, 20, true, false),
            park(3127, "测试车场", 39.875_000, 116.431_000, "北京市", 100, 80, true, false),
            park(3128, "第三方停车场", 39.880_000, 116.430_000, "北京市", 50, 48, false, true),
            park(4001, "莆田万达广场", 25.424_324, 119.002_9, "莆田市", 600, 100, true, false),
        ])
    }
}

impl Park {
    /// base64 of eight bytes, as in the document.
    fn id(&self) -> String {
        STANDARD.encode(self.number.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64).to_be_bytes())
    }

    fn status(&self, stays: &[Stay]) -> &'static str {
        let inside = stays.iter().filter(|stay| stay.park == self.number && stay.left.is_none()).count();
        let free = self.total - self.taken - i64::try_from(inside).unwrap_or(0);
        match free * 100 / self.total.max(1) {
            ..10 => "紧张",
            10..30 => "较少",
            _ => "充足",
        }
    }

    /// Metres to a point on the sphere.
    fn distance(&self, lat: f64, lon: f64) -> f64 {
        const EARTH: f64 = 6_371_000.0;
        let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
        let across = self.lat.to_radians().cos() * lat.to_radians().cos() * half(self.lon, lon);
        2.0 * EARTH * (half(self.lat, lat) + across).sqrt().asin()
    }
}

impl Parks {
    /// The park of this number, or the first.
    pub fn find(&self, number: Option<i64>) -> Option<&Park> {
        match number {
            Some(number) => self.0.iter().find(|park| park.number == number),
            None => self.0.first(),
        }
    }

    /// What may be shown of them.
    pub fn shown(&self, stays: &[Stay]) -> Value {
        let shown = |park: &Park| {
            json!({"parkId": park.number, "id": park.id(), "parkingName": park.name, "city": park.city,
                "lat": park.lat, "lon": park.lon, "status": park.status(stays)})
        };
        self.0.iter().map(shown).collect()
    }

    /// Adds or changes one; what is left out stays as it is, or as in the first one.
    pub fn set(&mut self, request: &Members) -> Result<(), String> {
        let number = json::whole(request, "park_id").ok().flatten().ok_or("park_id: expected a number")?;
        if !self.0.iter().any(|park| park.number == number) {
            let first = Parks::default().0.into_iter().next().ok_or("no park")?;
            self.0.push(Park { number, ..first });
        }
        let Some(park) = self.0.iter_mut().find(|park| park.number == number) else { return Ok(()) };
        let decimal = |name: &str, into: &mut f64| match json::filled(request, name).map(|text| text.parse()) {
            Some(Ok(value)) => {
                *into = value;
                Ok(())
            }
            Some(Err(_)) => Err(format!("{name}: no number")),
            None => Ok(()),
        };
        decimal("lat", &mut park.lat)?;
        decimal("lon", &mut park.lon)?;
        for (name, into) in [
            ("total", &mut park.total),
            ("taken", &mut park.taken),
            ("free_minutes", &mut park.tariff.free_minutes),
            ("unit_fen", &mut park.tariff.unit_fen),
            ("unit_minutes", &mut park.tariff.unit_minutes),
            ("exit_minutes", &mut park.tariff.exit_minutes),
        ] {
            if let Some(value) = json::whole(request, name).map_err(|_| format!("{name}: no number"))? {
                *into = value;
            }
        }
        for (name, into) in [("name", &mut park.name), ("city", &mut park.city), ("kind", &mut park.kind)] {
            if let Some(text) = json::filled(request, name) {
                *into = text;
            }
        }
        for (name, into) in [("electronic", &mut park.is_electronic), ("third_party", &mut park.is_third_party)] {
            if let Some(text) = json::filled(request, name) {
                *into = matches!(text.as_str(), "1" | "true");
            }
        }
        Ok(())
    }
}

/// By position with a radius, or by city, never both; a page at a time.
pub fn around(call: &mut Call) -> Done {
    let given = |name: &str| json::filled(call.data, name);
    let number = |name: &str| given(name).map(|text| text.parse::<f64>().map_err(|_| 6)).transpose();
    let (lat, lon, radius) = (number("lat")?, number("lon")?, number("radius")?);
    let place = match (lat, lon, given("city")) {
        (Some(lat), Some(lon), None) => {
            let radius = radius.ok_or(20102)?;
            if !(500.0..=3000.0).contains(&radius) {
                return Err(6);
            }
            Ok((lat, lon, radius))
        }
        (None, None, Some(city)) => Err(city),
        (None, None, None) | (Some(_), None, None) | (None, Some(_), None) => return Err(20102),
        _ => return Err(6),
    };
    let kind = given("payType").unwrap_or_else(|| "0".into());
    let wanted = |park: &&Park| match kind.as_str() {
        "1" => park.is_electronic && !park.is_third_party,
        "2" => !park.is_electronic || park.is_third_party,
        _ => true,
    };
    let mut found: Vec<(f64, &Park)> = Vec::new();
    for park in call.etcp.parks.0.iter().filter(wanted) {
        match &place {
            Ok((lat, lon, radius)) => {
                let distance = park.distance(*lat, *lon);
                if distance <= *radius {
                    found.push((distance, park));
                }
            }
            Err(city) if park.city == *city => found.push((0.0, park)),
            Err(_) => {}
        }
    }
    found.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let skip = match given("scrollId") {
        None => 0,
        Some(mark) => read_mark(&mark).ok_or(6)?,
    };
    let stays = &call.etcp.stays;
    let shown = |(at, (distance, park)): (usize, &(f64, &Park))| {
        json!({
            "id": park.id(), "parkingName": park.name, "type": if park.is_third_party { "tp" } else { "ss" },
            "minFreeTime": park.tariff.free_minutes.to_string(),
            "avgCostPrecise": json::yuan_number(park.tariff.price(4 * 3600)), "parkingType": park.kind,
            "capacityStatus": park.status(stays), "payType": if park.is_electronic { "1" } else { "2" },
            "distance": format!("{}m", distance.round()), "scrollId": mark(at + 1),
            "lon": park.lon.to_string(), "lat": park.lat.to_string(),
        })
    };
    let list: Vec<Value> = found.iter().enumerate().skip(skip).take(PAGE).map(shown).collect();
    Ok(json!({"data": {"list": list}}))
}

fn mark(at: usize) -> String {
    STANDARD.encode(format!("sandbox-scroll-{at:05}"))
}

fn read_mark(mark: &str) -> Option<usize> {
    let text = String::from_utf8(STANDARD.decode(mark).ok()?).ok()?;
    text.strip_prefix("sandbox-scroll-")?.parse().ok()
}

pub fn status(call: &mut Call) -> Done {
    let id = call.text("parkingId");
    let now = call.etcp.now();
    let park = call.etcp.parks.0.iter().find(|park| park.id() == id).ok_or(20100)?;
    let status = park.status(&call.etcp.stays);
    Ok(json!({"data": {"totalSpace": park.total.to_string(), "time": beijing::shown(now), "status": status}}))
}
