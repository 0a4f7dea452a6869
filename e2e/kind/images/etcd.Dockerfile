# grepzilla/etcd: the small etcd that the Helm chart can install, and etcdctl for its probes and for people; no shell, no root.
FROM scratch
COPY ca-certificates.crt /etc/ssl/certs/
COPY etcd etcdctl /usr/local/bin/
ENV PATH=/usr/local/bin
USER 65532:65532
ENTRYPOINT ["etcd"]
