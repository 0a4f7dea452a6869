# grepzilla/node: the data plane. One static binary and the root certificates; no shell, no root.
FROM scratch
COPY ca-certificates.crt /etc/ssl/certs/
COPY grepzilla /
USER 65532:65532
ENTRYPOINT ["/grepzilla"]
