// SPDX-License-Identifier: GPL-3.0-or-later
// Flamenco job type: fills a scene with materials by a recipe. How to install it: README.md beside this file.

const JOB_TYPE = {
    label: "Tilewright Materials",
    description: "Fill the scene with generated materials by a Tilewright recipe",
    settings: [
        { key: "recipe", type: "string", subtype: "file_path", required: true, visible: "submission",
          description: "The recipe, a TOML file that all workers can read" },
        { key: "out", type: "string", subtype: "file_path", required: true, visible: "submission",
          description: "The .blend to write, in a folder that all workers can reach" },
        { key: "results", type: "string", subtype: "dir_path", required: true, visible: "submission",
          description: "Folder for the maps, shared by all workers; what lies there already is not made again" },
        { key: "parts", type: "int32", default: 4, propargs: { min: 1, max: 10000 }, visible: "submission",
          description: "Tasks that make maps side by side: about as many as there are workers" },
        { key: "blendfile", type: "string", required: true, visible: "web",
          description: "The scene, as it was submitted" },
        { key: "gan_worker", type: "string", default: "{ganWorker}", visible: "web",
          description: "The program gan-worker; a Flamenco variable names it for each system" },
        { key: "blender", type: "string", default: "{blender}", visible: "web",
          description: "The Blender that has the Tilewright extension" },
    ],
};

// Every part makes its share of the maps; when all are there, the last task finds them and fills the scene.
function compileJob(job) {
    const settings = job.settings;
    if (!(settings.parts >= 1)) {
        throw new Error(`parts must be 1 or more; received ${settings.parts}`);
    }
    const fill = author.Task("fill the scene", "blender");
    fill.addCommand(batchCommand(settings, []));
    for (let number = 1; number <= settings.parts; number++) {
        const part = `${number}/${settings.parts}`;
        const make = author.Task(`materials ${part}`, "misc");
        make.addCommand(batchCommand(settings, ["--part", part]));
        job.addTask(make);
        fill.addDependency(make);
    }
    job.addTask(fill);
}

function batchCommand(settings, more) {
    const args = [
        "batch", settings.recipe,
        "--scene", settings.blendfile,
        "--out", settings.out,
        "--results", settings.results,
        "--blender", settings.blender,
    ];
    return author.Command("exec", { exe: settings.gan_worker, args: args.concat(more) });
}
