module counterfoil.dev/counterfoil

go 1.26.0

toolchain go1.27.3
