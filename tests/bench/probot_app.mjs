// A probot app whose handler does nothing.
export default (app) => {
    app.on("issues.labeled", async () => {});
};
