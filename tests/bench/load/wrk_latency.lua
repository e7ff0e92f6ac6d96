-- What wrk measured, as one line of JSON.
function done(summary, latency)
  io.write(string.format(
    '\n{"requests":%d,"seconds":%f,"p50_us":%f,"p99_us":%f}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50), latency:percentile(99)))
end
