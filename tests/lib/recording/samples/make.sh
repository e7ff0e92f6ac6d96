#!/usr/bin/env bash
# Makes the samples of logs in this folder: Debian's HAProxy and nginx run in front of three backends, and only two of
# these are started. Needs haproxy, nginx with its stream module, python3 and `lbsim` as a command.
#
#   tests/lib/recording/samples/make.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT
lbsim=${LBSIM:-lbsim}
base=$((20000 + RANDOM % 20000))

for i in 1 2; do
  $lbsim backend --id "B$i" --latency 'exponential(20ms)' --slots 2 "127.0.0.1:$((base + i))" >/dev/null 2>&1 &
  pids+=($!)
done

# HAProxy logs to a socket; this program prints the lines that arrive there.
cat >"$work/syslog.py" <<PY
import re, socket
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind("$work/log")
while True:
    print(re.sub(r"^<\\d+>", "", server.recv(65536).decode().strip()), flush=True)
PY
python3 "$work/syslog.py" >"$work/haproxy.log" &
pids+=($!)

cat >"$work/haproxy.cfg" <<CFG
global
  log $work/log local0
  maxconn 100
defaults
  log global
  timeout connect 1s
  timeout client 1s
  timeout server 1s
  timeout queue 30ms
  retries 1
  option redispatch 1
listen tcp
  mode tcp
  option tcplog
  bind 127.0.0.1:$((base + 10))
  server B1 127.0.0.1:$((base + 1)) maxconn 2
  server B2 127.0.0.1:$((base + 2)) maxconn 2
  server B3 127.0.0.1:$((base + 3)) maxconn 2
listen http
  mode http
  option httplog
  bind 127.0.0.1:$((base + 11))
  server B1 127.0.0.1:$((base + 1))
  server B2 127.0.0.1:$((base + 2))
listen nobody
  mode tcp
  option tcplog
  bind 127.0.0.1:$((base + 12))
CFG
haproxy -db -q -f "$work/haproxy.cfg" &
pids+=($!)

cat >"$work/nginx.conf" <<CFG
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
worker_processes 1;
pid $work/nginx.pid;
events {}
stream {
  log_format lbsim '\$msec \$remote_addr \$session_time \$status \$bytes_received \$bytes_sent '
                   '"\$upstream_addr" "\$upstream_connect_time" "\$upstream_session_time"';
  access_log $work/nginx.log lbsim;
  upstream lab {
    server 127.0.0.1:$((base + 1));
    server 127.0.0.1:$((base + 2));
    server 127.0.0.1:$((base + 3)) max_fails=0;
  }
  server { listen 127.0.0.1:$((base + 20)); proxy_pass lab; proxy_timeout 1s; }
  server { listen 127.0.0.1:$((base + 21)); proxy_pass 127.0.0.1:$((base + 3)); }
}
CFG
nginx -e "$work/error.log" -c "$work/nginx.conf" &
pids+=($!)

# Clients: some send a line, some send an HTTP request, and some send nothing and leave early.
python3 - "$base" <<'PY'
import random, socket, sys, threading, time
base = int(sys.argv[1])
random.seed(7)
for port in [base + 1, base + 2, base + 10, base + 20]:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            time.sleep(0.1)

def line(port, source):
    try:
        with socket.create_connection(("127.0.0.1", port), 3, (source, 0)) as client:
            client.sendall(b"hi\n")
            client.recv(100)
    except OSError:
        pass

def http(port, source):
    try:
        with socket.create_connection(("127.0.0.1", port), 3, (source, 0)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
            while client.recv(1000):
                pass
    except OSError:
        pass

def leaves(port, source):
    with socket.create_connection(("127.0.0.1", port), 3, (source, 0)):
        time.sleep(0.005)

threads = []
for i in range(36):
    source = f"127.0.1.{random.randint(1, 9)}"
    port = base + (10 if i % 2 == 0 else 20)
    target = leaves if i % 9 == 0 else line
    threads.append(threading.Thread(target=target, args=(port, source)))
    if i % 4 == 0:
        threads.append(threading.Thread(target=http, args=(base + 11, source)))
threads.append(threading.Thread(target=line, args=(base + 12, "127.0.1.1")))
threads.append(threading.Thread(target=line, args=(base + 21, "127.0.1.2")))
for thread in threads:
    thread.start()
    time.sleep(random.expovariate(200))
for thread in threads:
    thread.join()
PY
sleep 1
cp "$work/haproxy.log" "$here/haproxy.log"
cp "$work/nginx.log" "$here/nginx.log"
wc -l "$here"/*.log
