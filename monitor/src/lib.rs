//! Windows, objectives, verdicts, alerts and OTLP of plimsoll
