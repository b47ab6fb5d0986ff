//! Which deployment answers a request: the one that is named, else one by weight.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderValue;

use super::pool::Pool;

/// The deployments of an endpoint, in the order of their names.
#[derive(Debug, Clone, Default)]
pub(super) struct Routes {
    pub(super) deployments: Vec<Route>,
    /// Who gets a copy of so many percent of the requests that name no deployment.
    pub(super) mirror: Option<Route>,
}

/// One deployment.
#[derive(Debug, Clone)]
pub(super) struct Route {
    /// As it is written in headers.
    pub(super) name: HeaderValue,
    /// Percent of the requests.
    pub(super) weight: u8,
    /// For waiting and work together.
    pub(super) timeout: Duration,
    /// Its instances.
    pub(super) pool: Arc<Pool>,
}

impl Routes {
    /// Picks a deployment. `draw` gives a number below its argument; it is called only if there is
    /// a choice. A name that is not there, or no deployment with a weight, picks none.
    pub(super) fn pick(
        &self,
        named: Option<&HeaderValue>,
        draw: impl FnOnce(u32) -> u32,
    ) -> Option<&Route> {
        if let Some(named) = named {
            return self.deployments.iter().find(|route| route.name == named);
        }
        let mut weighted = self.deployments.iter().filter(|route| route.weight > 0);
        let first = weighted.next()?;
        let Some(second) = weighted.next() else { return Some(first) };
        let total = self.deployments.iter().map(|route| u32::from(route.weight)).sum();
        let mut left = draw(total);
        for route in [first, second].into_iter().chain(weighted) {
            match left.checked_sub(u32::from(route.weight)) {
                Some(rest) => left = rest,
                None => return Some(route),
            }
        }
        unreachable!("draw gives a number below the sum of the weights")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(weights: &[(&'static str, u8)]) -> Routes {
        let route = |&(name, weight): &(&'static str, u8)| Route {
            name: HeaderValue::from_static(name),
            weight,
            timeout: Duration::from_secs(5),
            pool: Arc::new(Pool::new()),
        };
        Routes { deployments: weights.iter().map(route).collect(), mirror: None }
    }

    fn picked(routes: &Routes, number: u32) -> &str {
        routes.pick(None, |_| number).unwrap().name.to_str().unwrap()
    }

    #[test]
    fn every_percent_goes_where_its_weight_says() {
        let routes = routes(&[("blue", 90), ("gray", 0), ("green", 10)]);
        let green = (0..100).filter(|&number| picked(&routes, number) == "green").count();
        let blue = (0..100).filter(|&number| picked(&routes, number) == "blue").count();
        assert_eq!((blue, green), (90, 10));
    }

    #[test]
    fn a_name_goes_before_weights_and_no_weight_is_no_deployment() {
        let routes = routes(&[("blue", 0), ("green", 0)]);
        let never = |_| unreachable!("there is nothing to draw for");
        let green = HeaderValue::from_static("green");
        assert_eq!(routes.pick(Some(&green), never).unwrap().name, "green");
        assert!(routes.pick(Some(&HeaderValue::from_static("red")), never).is_none());
        assert!(routes.pick(None, never).is_none());
    }
}
