// Command mongoserver is FerretDB, a MongoDB-compatible server, on a folder of SQLite files.
//
// The tests start it where no MongoDB is at hand: see tests/mongo/building.py.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

// A process that is killed loses nothing that it has handed to the system, so nothing waits for the
// disk: what loses the machine's power too needs another server.
const settings = "_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)&_pragma=synchronous(off)" +
	"&_pragma=cache_size(-65536)&_pragma=temp_store(memory)"

func main() {
	listen := flag.String("listen", "127.0.0.1:27017", "address to listen on")
	dir := flag.String("dir", ".", "folder for the database files")
	flag.Parse()

	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: *listen},
		Handler:   "sqlite",
		SQLiteURL: "file:" + *dir + "/?" + settings,
	})
	if err != nil {
		log.Fatal(err)
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	fmt.Println("listening on", *listen)

	if err = server.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
