import { once } from "node:events";
import { type AddressInfo, type Server, type Socket, connect, createServer } from "node:net";

/** A TCP proxy on a port of its own that can swallow all bytes, both ways,
 *  without closing anything, as a network does that drops every packet. */
export class Proxy {
  swallowing = false;
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server, private readonly target: number) {
    server.on("connection", (client) => this.join(client));
  }

  /** A proxy to a port of this machine. */
  static async to(target: number): Promise<Proxy> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Proxy(server, target);
  }

  get port(): number { return (this.server.address() as AddressInfo).port; }

  /** How many connections were made, dead ones included. */
  connections = 0;

  /** Ends all connections and takes no more. */
  async stop(): Promise<void> {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await once(this.server, "close");
  }

  private join(client: Socket): void {
    this.connections++;
    const server = connect(this.target, "127.0.0.1");
    for (const [from, to] of [[client, server], [server, client]] as const) {
      this.sockets.add(from);
      from.on("data", (bytes) => { if (!this.swallowing) to.write(bytes); });
      from.on("error", () => {}); // a close follows
      from.on("close", () => {
        this.sockets.delete(from);
        if (!this.swallowing) to.destroy();
      });
    }
  }
}
