package counterfoil_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"counterfoil.dev/counterfoil"
)

// A program guards its own handlers. The credential is that of a node which the operator listed.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	credential, err := os.ReadFile("/etc/orders/node-credential")
	if err != nil {
		log.Fatal(err)
	}
	guard, err := counterfoil.Open(ctx, counterfoil.Config{
		Authority:      "https://desk.example.com",
		NodeCredential: counterfoil.NewSecret(string(credential)),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer guard.Close()

	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := counterfoil.CallerFrom(r.Context())
		fmt.Fprintf(w, "orders of account %d\n", caller.Account)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:8084", guard.Middleware(orders)))
}
